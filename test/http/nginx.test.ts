import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser, type Page } from '../../demo/issuer/browser.ts'
import { choosePerson } from '../../demo/issuer/sign-in.ts'
import { documentedCode } from '../support/documented.ts'
import { type Nginx, startNginx } from '../support/nginx.ts'
import { rawRequest, sendRaw } from '../support/raw-http.ts'
import { freePort } from '../../demo/free-port.ts'
import { json, LOGIN, type Sidecar, startWorld, webClientOf, type World } from '../support/world.ts'

const RULES = [
  { paths: ['/public/**'], access: 'public' },
  { paths: ['/echo'], methods: ['POST'], groups: ['analytics'] },
  { paths: ['/status/*'], groups: ['analytics'] },
  { paths: ['/**'], methods: ['GET'] },
]
const SPOOFED = {
  'x-forwarded-user': 'root',
  'x-forwarded-email': 'root@example.com',
  'x-forwarded-groups': 'admins',
  'x-forwarded-preferred-username': 'root',
  'x-sallyport-assertion': 'forged',
}

let world: World
let sidecar: Sidecar
let nginx: Nginx
let url = ''
let ana = ''
let vic = ''

beforeAll(async () => {
  world = await startWorld()
  const port = await freePort()
  url = `http://127.0.0.1:${port}`
  sidecar = await world.sidecar({
    server: { publicUrl: url, trustedProxies: ['127.0.0.1'] },
    issuers: [{ name: 'corp', issuer: world.issuer.issuer, audiences: ['sallyport'], login: LOGIN }],
    app: undefined,
    rules: RULES,
  })
  world.issuer.setWebClient(webClientOf(url))
  // The page that people copy from, with the addresses of this machine.
  const [documented = ''] = documentedCode('deployment.md', 'nginx')
  nginx = await startNginx(
    documented
      .replaceAll('http://127.0.0.1:8080', sidecar.url)
      .replaceAll('http://127.0.0.1:3000', world.app.url)
      .replaceAll('listen 80;', `listen 127.0.0.1:${port};`),
  )
  ana = (await world.issuer.signIn('ana')).accessToken
  vic = (await world.issuer.signIn('vic')).accessToken
})
afterAll(async () => {
  await nginx?.stop()
  await world.close()
})

type Init = Omit<RequestInit, 'headers'> & { headers?: Record<string, string> }
const get = (path: string, token?: string, init: Init = {}): Promise<Response> =>
  fetch(`${url}${path}`, {
    redirect: 'manual',
    ...init,
    headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...init.headers },
  })

/** Refused, and the app heard nothing of it. */
async function expectRefused(response: Promise<Response>, status: number): Promise<Response> {
  const before = world.app.requests.length
  const answer = await response
  await answer.body?.cancel()
  expect(answer.status).toBe(status)
  expect(world.app.requests.length).toBe(before)
  return answer
}

describe('lets in', () => {
  test('whom a rule admits, and the app learns who it is', async () => {
    const headers = await json(get('/headers', ana, { headers: { ...SPOOFED, cookie: 'theme=dark' } }))
    expect(headers).toMatchObject({
      'x-forwarded-user': 'ana',
      'x-forwarded-email': 'ana@example.com',
      'x-forwarded-preferred-username': 'ana',
      'x-forwarded-groups': 'analytics',
      'x-sallyport-assertion': expect.stringMatching(/^ey[\w-]+\.ey[\w-]+\.[\w-]+$/),
      cookie: 'theme=dark',
      host: new URL(url).host,
    })
    expect(headers).not.toHaveProperty('authorization')
  })

  test('with the path and query as they were judged, to the byte', async () => {
    const target = '/headers/%c3%A9?a=%2F..&b=c%20d&b='
    await get(target, ana)
    expect(world.app.requests.at(-1)?.url).toBe(target)
  })

  test('a body, which only the app sees', async () => {
    const echo = await json(get('/echo', ana, { method: 'POST', body: 'x'.repeat(100_000) }))
    expect(echo).toMatchObject({ method: 'POST', body: { length: 100_000 } })
  })

  test('a WebSocket, and the app sees that it is one', async () => {
    const headers = { authorization: `Bearer ${ana}`, connection: 'Upgrade', upgrade: 'websocket' }
    const asked = request(`${url}/headers`, { headers, agent: false }).end()
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    answer.destroy()
    expect(answer.statusCode).toBe(200)
    expect(world.app.requests.at(-1)?.headers).toMatchObject({ upgrade: 'websocket', 'x-forwarded-user': 'ana' })
  })

  test('everybody on a public path, and claims of who they are do not pass', async () => {
    expect((await get('/public/hello.txt', undefined, { headers: SPOOFED })).status).toBe(200)
    for (const name of Object.keys(SPOOFED)) expect(world.app.requests.at(-1)?.headers).not.toHaveProperty(name)
  })

  test.for(['X_Forwarded_User', 'x_sallyport_assertion', 'X.Forwarded.User'])(
    'no other spelling of an identity header: %s',
    async name => {
      const { status } = await sendRaw(url, rawRequest('GET /public/hello.txt', ['Host: app', `${name}: root`]))
      expect(status).toBe(200)
      expect(world.app.requests.at(-1)?.rawHeaders).not.toContain('root')
    },
  )

  test.for([
    ['__Host-sallyport=secret', undefined],
    ['a=1; __Host-sallyport=secret; b=2', 'a=1; b=2'],
    ['sallyport=secret; b=2', 'b=2'],
    ['mysallyport=1; other=sallyport=2', 'mysallyport=1; other=sallyport=2'],
  ] as const)('without the session cookie: %s', async ([sent, arrives]) => {
    await get('/public/hello.txt', undefined, { headers: { cookie: sent } })
    expect(world.app.requests.at(-1)?.headers.cookie).toBe(arrives)
  })
})

describe('refuses', () => {
  test('who is not signed in: a script learns it, a page is sent to sign in', async () => {
    const script = await expectRefused(get('/headers'), 401)
    expect(script.headers.get('www-authenticate')).toBe('Bearer')
    const page = await expectRefused(get('/headers?x=1', undefined, { headers: { accept: 'text/html,*/*' } }), 302)
    expect(page.headers.get('location')).toBe(`${url}/sallyport/login?return_to=/headers`)
    const form = await expectRefused(
      get('/echo', undefined, { method: 'POST', body: 'x', headers: { accept: 'text/html' } }),
      401,
    )
    expect(form.headers.get('location')).toBeNull()
  })

  test('a token that does not hold', async () => {
    await expectRefused(get('/headers', `${ana}x`), 401)
  })

  test('a person whom the rule does not admit', async () => {
    expect((await get('/status/200', ana)).status).toBe(200)
    await expectRefused(get('/status/200', vic), 403)
  })

  test('a method that no rule has', async () => {
    await expectRefused(get('/headers', ana, { method: 'DELETE' }), 403)
    await expectRefused(get('/echo', vic, { method: 'POST', body: 'x' }), 403)
  })

  test.for(['/public/..%2fstatus/200', '/public/%2e%2e/status/200', '/public//../status/200', '/public/./x', '/x;/y'])(
    'a path that nginx and the app could read in two ways: %s',
    async path => {
      const before = world.app.requests.length
      const { status } = await sendRaw(url, rawRequest(`GET ${path}`, ['Host: app', `Authorization: Bearer ${vic}`]))
      expect(status).toBe(403)
      expect(world.app.requests.length).toBe(before)
    },
  )

  test('a client that names another request than it makes', async () => {
    const headers = { 'x-forwarded-uri': '/public/hello.txt', 'x-forwarded-method': 'GET' }
    await expectRefused(get('/status/200', vic, { headers }), 403)
  })

  test('a client that asks the question itself', async () => {
    for (const path of ['/_sallyport', '/sallyport/check', '/sallyport/check/headers']) {
      await expectRefused(get(path, ana, { headers: { 'x-forwarded-uri': '/', 'x-forwarded-method': 'GET' } }), 404)
    }
  })
})

describe('a person in a browser', () => {
  /** Goes to a page of the app without a session, and comes back to it with one. */
  const signIn = async (): Promise<{ page: Page; cookie: string }> => {
    const browser = createBrowser()
    const page = await choosePerson(browser, await browser.open(`${url}/headers?x=1`), 'ana')
    return { page, cookie: browser.cookieHeader(url) }
  }

  test('is sent to sign in, comes back, and the app learns who it is and not the session', async () => {
    const { page, cookie } = await signIn()
    expect(page.url.href).toBe(`${url}/headers`)
    expect(JSON.parse(page.body)).toMatchObject({ 'x-forwarded-user': 'ana' })
    expect(cookie).toMatch(/(?:^|; )sallyport=/)
    expect(page.body).not.toMatch(/[^-]sallyport=/)
  })

  test('writes, and opens WebSockets, from pages of this origin alone', async () => {
    const { cookie } = await signIn()
    const from = (origin: string, more: Init): Promise<Response> =>
      get('/echo', undefined, { ...more, headers: { ...more.headers, cookie, origin } })
    const write = { method: 'POST', body: 'x' }
    expect((await from(url, write)).status).toBe(200)
    await expectRefused(from('http://evil.example', write), 403)
    const statusOf = async (origin: string): Promise<number | undefined> => {
      const headers = { cookie, origin, connection: 'Upgrade', upgrade: 'websocket' }
      const asked = request(`${url}/headers`, { headers, agent: false }).end()
      const [answer] = (await once(asked, 'response')) as [IncomingMessage]
      answer.destroy()
      return answer.statusCode
    }
    expect(await statusOf(url)).toBe(200)
    expect(await statusOf('http://evil.example')).toBe(403)
  })
})

test('Sallyport’s own endpoints are reached through nginx', async () => {
  expect(await json(get('/sallyport/session', ana))).toMatchObject({ subject: 'ana', grant: 'explorer' })
})
