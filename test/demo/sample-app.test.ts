import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type SampleApp, startSampleApp } from '../../demo/sample-app/app.ts'

let app: SampleApp

beforeAll(async () => {
  app = await startSampleApp()
})

afterAll(() => app.close())

const get = (path: string, init?: RequestInit) => fetch(`${app.url}${path}`, init)

describe('the page', () => {
  const ANA = {
    'x-forwarded-user': 'ana',
    'x-forwarded-email': 'ana@example.com',
    'x-forwarded-preferred-username': 'Ana',
    'x-forwarded-groups': 'analytics,a%2Cb',
    'x-request-id': 'r-1',
  }

  test('says who the identity headers say is calling', async () => {
    const answer = await get('/', { headers: ANA })
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const page = await answer.text()
    for (const said of [
      'Hello, <span data-name>Ana<',
      'ana@example.com',
      '<li>analytics</li>',
      '<li>a,b</li>',
      'r-1',
    ]) {
      expect(page).toContain(said)
    }
  })

  test('reads names as UTF-8, as they are sent', async () => {
    const zoe = Buffer.from('Zoë').toString('latin1')
    const page = await (await get('/', { headers: { ...ANA, 'x-forwarded-preferred-username': zoe } })).text()
    expect(page).toContain('>Zoë<')
  })

  test('offers to sign in where no header says who it is', async () => {
    const page = await (await get('/')).text()
    expect(page).toContain('<a class="button primary" href="/sallyport/login?return_to=/">Sign in</a>')
    expect(page).not.toContain('<script')
  })

  test('escapes whatever a header holds', async () => {
    const hostile = `<script>alert('1')</script>"&`
    const headers = Object.fromEntries(Object.keys(ANA).map(name => [name, hostile]))
    const page = await (await get('/', { headers })).text()
    expect(page).not.toContain('<script>')
    expect(page.split('&#60;script&#62;alert(&#39;1&#39;)&#60;/script&#62;&#34;&#38;').length).toBeGreaterThan(6)
  })

  test('runs and fetches only what the app serves, and calls one place elsewhere: Looker', async () => {
    const other = await startSampleApp({
      surroundings: { lookerUrl: 'https://looker.example.com:19999/', issuerUrl: 'https://id.example.com/tenant' },
    })
    try {
      const policy = (await fetch(other.url)).headers.get('content-security-policy')
      expect(policy?.split('; ')).toEqual([
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self' https://looker.example.com:19999",
        "form-action 'self' https://id.example.com",
        "base-uri 'none'",
        "frame-ancestors 'none'",
      ])
    } finally {
      await other.close()
    }
  })

  test('has everything it names under /assets, and no path leads out of there', async () => {
    const page = await (await get('/', { headers: ANA })).text()
    const named = Array.from(page.matchAll(/"(\/assets\/[^"]+)"/g), ([, path = '']) => path)
    expect(named.length).toBeGreaterThan(2)
    for (const path of named) expect([path, (await get(path)).status]).toEqual([path, 200])
    const script = await get('/assets/desk.js')
    expect(script.headers.get('content-type')).toBe('text/javascript; charset=utf-8')
    const imports = Array.from((await script.text()).matchAll(/from '\.\/([^']+)'/g), ([, name = '']) => name)
    expect(imports.length).toBeGreaterThan(3)
    for (const name of imports) expect([name, (await get(`/assets/${name}`)).status]).toEqual([name, 200])
    for (const path of ['/assets/', '/assets/..%2Fapp.ts', '/assets/../app.ts', '/assets/constructor']) {
      expect([path, (await get(path)).status]).toEqual([path, 404])
    }
  })

  test('opens the portal to frames of Looker by https, one import map, and nothing more', async () => {
    const other = await startSampleApp({ surroundings: { lookerUrl: 'http://127.0.0.1:19999' } })
    try {
      const answer = await fetch(`${other.url}/portal`, { headers: ANA })
      const page = await answer.text()
      const [, map = ''] = /<script type="importmap">(.*?)<\/script>/.exec(page) ?? []
      expect(answer.headers.get('content-security-policy')?.split('; ')).toEqual([
        "default-src 'none'",
        `script-src 'self' 'sha256-${createHash('sha256').update(map).digest('base64')}'`,
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self' http://127.0.0.1:19999 https://127.0.0.1:19999",
        'frame-src https://127.0.0.1:19999',
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
      ])
      const named = Array.from(page.matchAll(/"(\/assets\/[^"]+)"/g), ([, path = '']) => path)
      expect(named.length).toBeGreaterThan(6)
      for (const path of named) {
        const asset = await fetch(`${other.url}${path}`)
        expect([path, asset.status]).toEqual([path, 200])
        for (const [, name = ''] of (await asset.text()).matchAll(/(?:from|import) '(\.[^']+)'/g)) {
          const imported = new URL(name, `${other.url}${path}`)
          expect([imported.pathname, (await fetch(imported)).status]).toEqual([imported.pathname, 200])
        }
      }
    } finally {
      await other.close()
    }
  })

  test('has no portal where there is no Looker, and shows it to nobody without a name', async () => {
    expect((await get('/portal', { headers: ANA })).status).toBe(404)
    expect(await (await get('/', { headers: ANA })).text()).not.toContain('/portal')
    const other = await startSampleApp({ surroundings: { lookerUrl: 'http://127.0.0.1:19999' } })
    try {
      const answer = await fetch(`${other.url}/portal`, { redirect: 'manual' })
      expect([answer.status, answer.headers.get('location')]).toEqual([303, '/'])
    } finally {
      await other.close()
    }
  })

  test('says what a person is granted, and why, where it is told', async () => {
    const told = await startSampleApp({
      surroundings: {
        people: [{ id: 'ana', name: 'Ana Alvarez', groups: ['analytics'] }],
        explain: () => ({
          verdicts: [
            { grant: 'admin', mismatch: 'needs one of the groups "<admins>"' },
            { grant: 'explorer', mismatch: undefined },
          ],
          scope: {
            grant: 'explorer',
            externalUserId: 'demo|ana',
            permissions: ['access_data', 'explore'],
            models: ['thelook'],
            userAttributes: { region: 'EMEA' },
          },
        }),
      },
    })
    try {
      const page = await (await fetch(told.url, { headers: ANA })).text()
      for (const said of ['&#34;&#60;admins&#62;&#34;', 'demo|ana', 'region = EMEA', 'access_data explore']) {
        expect(page).toContain(said)
      }
      const landing = await (await fetch(told.url)).text()
      for (const said of ['Ana Alvarez', 'Grant explorer', 'region EMEA']) expect(landing).toContain(said)
    } finally {
      await told.close()
    }
  })
})

describe('notes', () => {
  const leave = (headers: Record<string, string>, note = 'Hello <b>') =>
    get('/notes', { method: 'POST', body: new URLSearchParams({ note }), headers, redirect: 'manual' })

  test('are signed with the name in the headers, and shown as text', async () => {
    const headers = { 'x-forwarded-user': 'ana', 'x-forwarded-email': 'ana@example.com' }
    const plain = await leave(headers)
    expect([plain.status, plain.headers.get('location')]).toEqual([303, '/#notes'])
    const asked = await leave({ ...headers, accept: 'application/json' }, ' again ')
    expect(await asked.json()).toEqual({ who: 'ana@example.com', text: 'again' })
    expect(await (await get('/', { headers })).text()).toContain('<span>Hello &#60;b&#62;</span>')
  })

  test('are taken from nobody without a name, and never empty or endless', async () => {
    expect((await leave({})).status).toBe(401)
    const headers = { 'x-forwarded-user': 'ana' }
    for (const note of ['', '  ', 'x'.repeat(501)]) expect((await leave(headers, note)).status).toBe(400)
    expect((await get('/notes', { headers })).status).toBe(405)
  })
})

test('says whose session it is by now, with the last audit lines for people to read', async () => {
  const line = (operation: string, more: object = {}) =>
    JSON.stringify({
      time: 1,
      metadata: { uid: operation },
      actor: { user: { uid: 'ana', name: 'Ana Alvarez' } },
      api: { operation },
      status_detail: 'grant',
      unmapped: { decision: 'allowed', rule: 'endpoint', grant: 'explorer' },
      ...more,
    })
  const refused = {
    actor: { user: { uid: '', name: 'anonymous' } },
    status_detail: 'no-credentials',
    unmapped: { decision: 'denied', rule: 'rules[1]' },
  }
  const lines = [
    line('POST /sallyport/looker/token'),
    line('GET /assets/desk.js'),
    line('GET /x', refused),
    line('GET /now'),
  ]
  const audited = await startSampleApp({ surroundings: { auditLines: () => lines } })
  try {
    const answer = await fetch(`${audited.url}/now`, { headers: { 'x-forwarded-user': 'ana' } })
    expect(await answer.json()).toEqual({
      user: 'ana',
      audit: [
        {
          id: 'GET /x',
          time: 1,
          who: 'anonymous',
          what: 'Uses the app',
          operation: 'GET /x',
          decision: 'denied',
          why: 'no-credentials, rules[1]',
        },
        {
          id: 'POST /sallyport/looker/token',
          time: 1,
          who: 'Ana Alvarez',
          what: 'Asks for a Looker token',
          operation: 'POST /sallyport/looker/token',
          decision: 'allowed',
          why: 'grant explorer',
        },
      ],
    })
  } finally {
    await audited.close()
  }
})

test('gives the request headers back, and keeps a record of the request', async () => {
  const answer = await get('/headers', { headers: { 'x-mark': 'one' } })
  expect(await answer.json()).toMatchObject({ 'x-mark': 'one' })
  await vi.waitFor(() =>
    expect(app.requests.at(-1)).toMatchObject({ method: 'GET', url: '/headers', outcome: 'finished' }),
  )
  expect(app.requests.at(-1)?.rawHeaders).toContain('x-mark')
})

test('keeps no more requests than it is told to', async () => {
  const small = await startSampleApp({ recorded: 2 })
  try {
    for (const path of ['/a', '/b', '/c']) await (await fetch(`${small.url}${path}`)).text()
    expect(small.requests.map(({ url }) => url)).toEqual(['/b', '/c'])
  } finally {
    await small.close()
  }
})

test('echoes a body by its length and digest, read as a stream', async () => {
  const chunk = Buffer.alloc(1024 * 1024, 'x')
  const body = streamOf16(chunk)
  const answer = await get('/echo?q=%20', { method: 'PUT', body, duplex: 'half' })
  const digest = createHash('sha256')
  for (let sent = 0; sent < 16; sent += 1) digest.update(chunk)
  expect(await answer.json()).toMatchObject({
    method: 'PUT',
    url: '/echo?q=%20',
    headers: { 'transfer-encoding': 'chunked' },
    body: { length: 16 * chunk.length, sha256: digest.digest('hex') },
  })
})

test('streams events one by one, and notes when the caller has gone', async () => {
  const leaving = new AbortController()
  const answer = await get('/stream?seconds=600', { signal: leaving.signal })
  expect(answer.headers.get('content-type')).toBe('text/event-stream')
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
  expect((await reader?.read())?.value).toBe('id: 0\nevent: tick\ndata: {"second":0,"of":600}\n\n')
  const record = app.requests.findLast(({ url }) => url === '/stream?seconds=600')
  expect(record?.outcome).toBe('pending')
  leaving.abort()
  await vi.waitFor(() => expect(record?.outcome).toBe('aborted'))
})

test('sends exactly as many bytes as asked for', async () => {
  const answer = await get('/bytes/200001')
  expect(answer.headers.get('content-length')).toBe('200001')
  expect((await answer.bytes()).length).toBe(200_001)
  expect((await (await get('/bytes/0')).bytes()).length).toBe(0)
  expect((await get('/bytes/many')).status).toBe(400)
})

test('answers with the status asked for, without a body where there is none', async () => {
  expect((await get('/status/503', { method: 'POST', body: 'x' })).status).toBe(503)
  const empty = await get('/status/204')
  expect([empty.status, await empty.text()]).toEqual([204, ''])
  expect((await get('/status/99')).status).toBe(400)
})

test('waits as long as asked', async () => {
  const startedAt = performance.now()
  expect(await (await get('/slow?ms=120')).json()).toEqual({ waitedMs: 120 })
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(110)
})

test('has a public file, and nothing else', async () => {
  expect(await (await get('/public/hello.txt')).text()).toContain('Hello')
  for (const path of ['/public/', '/nowhere', '/constructor']) expect((await get(path)).status).toBe(404)
})

function streamOf16(chunk: Buffer<ArrayBuffer>): ReadableStream<Uint8Array> {
  let left = 16
  return new ReadableStream({
    pull(controller) {
      if (left === 0) return controller.close()
      left -= 1
      controller.enqueue(chunk)
    },
  })
}
