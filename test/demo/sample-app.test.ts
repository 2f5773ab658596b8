import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type SampleApp, startSampleApp } from '../../demo/sample-app/app.ts'

let app: SampleApp

beforeAll(async () => {
  app = await startSampleApp()
})

afterAll(() => app.close())

const get = (path: string, init?: RequestInit) => fetch(`${app.url}${path}`, init)

test('says who the identity headers say is calling', async () => {
  const answer = await get('/', {
    headers: {
      'x-forwarded-user': 'ana',
      'x-forwarded-email': 'ana@example.com',
      'x-forwarded-preferred-username': 'Ana',
      'x-forwarded-groups': 'analytics,finance',
      'x-request-id': 'r-1',
    },
  })
  expect(answer.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-/)
  const page = await answer.text()
  for (const said of ['Hello, Ana', 'ana@example.com', 'analytics, finance', 'r-1']) expect(page).toContain(said)
})

test('says that nobody is signed in when no header does', async () => {
  expect(await (await get('/')).text()).toContain('Nobody is signed in')
})

test('escapes whatever a header holds', async () => {
  const hostile = `<script>alert('1')</script>"&`
  const names = ['x-forwarded-user', 'x-forwarded-email', 'x-forwarded-preferred-username', 'x-forwarded-groups']
  const headers = Object.fromEntries([...names, 'x-request-id'].map(name => [name, hostile]))
  const page = await (await get('/', { headers })).text()
  expect(page).not.toContain('<script')
  expect(page.split('&#60;script&#62;alert(&#39;1&#39;)&#60;/script&#62;&#34;&#38;')).toHaveLength(8)
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
