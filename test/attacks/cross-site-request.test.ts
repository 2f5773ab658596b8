import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { expectProblem } from '../support/problem.ts'
import { HANDSHAKE, openRawWebSocket } from '../support/raw-websocket.ts'
import { sessionOf, signIn } from '../support/sign-in.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

const SIBLING = 'https://reports.example.com'

let world: World
let app: Upstream
let sidecar: Sidecar
let cookie = ''
let seen: { method: string | undefined; user: string | string[] | undefined }[] = []

beforeAll(async () => {
  world = await startWorld()
  app = await startUpstream((request, response) => {
    seen.push({ method: request.method, user: request.headers['x-forwarded-user'] })
    response.end('done')
  })
  sidecar = await world.loginSidecar({
    app: { url: app.url },
    rules: [{ paths: ['/public/**'], access: 'public' }, { paths: ['/**'] }],
    cors: { origins: [SIBLING] },
  })
  const { browser } = await signIn(sidecar, 'ana')
  cookie = `sallyport=${sessionOf(browser, sidecar)}`
})
afterAll(async () => {
  await world.close()
  await app.close()
})
beforeEach(() => (seen = []))

const send = (method: string, path: string, headers: Record<string, string>): Promise<Response> =>
  sidecar.fetch(path, { method, headers: { cookie, ...headers } })

const NOT_OURS: Record<string, string>[] = [
  {},
  { origin: 'https://evil.example' },
  { origin: 'null' },
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site' },
  { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' },
  // A sandboxed frame; a form that was redirected through another site.
  { origin: 'null', 'sec-fetch-site': 'cross-site' },
]

describe('case 88: what a cookie authenticates and what changes something comes from a page of ours', () => {
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
    test.for(NOT_OURS)(`${method} to the app with %j is refused, and the app hears nothing`, async headers => {
      await expectProblem(await send(method, '/orders', headers), 403, 'forbidden')
      expect(seen).toEqual([])
    })
  }

  test.for(NOT_OURS)('no Looker token is handed out with %j', async headers => {
    await expectProblem(await send('POST', '/sallyport/looker/token', headers), 403, 'forbidden')
  })

  test('from our own origin it passes', async () => {
    expect((await send('POST', '/orders', { origin: sidecar.url })).status).toBe(200)
    expect((await send('POST', '/orders', { 'sec-fetch-site': 'same-origin' })).status).toBe(200)
    expect(seen).toEqual([
      { method: 'POST', user: 'ana' },
      { method: 'POST', user: 'ana' },
    ])
  })

  test('a form of ours passes although its page tells nobody where it comes from', async () => {
    const headers = { origin: 'null', 'sec-fetch-site': 'same-origin' }
    expect((await send('POST', '/orders', headers)).status).toBe(200)
    expect(seen).toEqual([{ method: 'POST', user: 'ana' }])
  })

  test('from an origin that the configuration trusts it passes', async () => {
    expect((await send('POST', '/sallyport/looker/token', { origin: SIBLING })).status).toBe(200)
  })

  test('reading needs no such word', async () => {
    expect((await send('GET', '/orders', { origin: 'https://evil.example' })).status).toBe(200)
  })

  test('a bearer decides where both are there: no page can make a browser send one', async () => {
    const authorization = `Bearer ${await world.issuer.sign({ sub: 'vic' })}`
    expect((await send('POST', '/orders', { authorization, origin: 'https://evil.example' })).status).toBe(200)
    expect(seen).toEqual([{ method: 'POST', user: 'vic' }])
  })

  test('on a public path it passes as nobody', async () => {
    expect((await send('POST', '/public/feedback', { origin: 'https://evil.example' })).status).toBe(200)
    expect(seen).toEqual([{ method: 'POST', user: undefined }])
  })

  test('a WebSocket is a channel to write on: a page of somebody else opens none', async () => {
    const open = (origin: string): Promise<{ status: number }> =>
      openRawWebSocket(sidecar.url, '/live', [...HANDSHAKE, `Cookie: ${cookie}`, `Origin: ${origin}`])
    expect((await open('https://evil.example')).status).toBe(403)
    expect(seen).toEqual([])
    // This one gets as far as the app, which speaks none.
    expect((await open(sidecar.url)).status).not.toBe(403)
  })
})
