import { afterAll, beforeAll, expect, test } from 'vitest'
import { rawRequest, type RawAnswer, sendRaw } from '../support/raw-http.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
let ana: string
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.sidecar({ rules: [{ paths: ['/**'], access: 'public' }] })
  ana = await world.issuer.sign({ sub: 'ana' })
})
afterAll(() => world.close())

const get = (headers: readonly string[], path = '/headers'): Promise<RawAnswer> =>
  sendRaw(sidecar.url, rawRequest(`GET ${path}`, headers))

/** Refused as a problem document, and nothing went upstream. */
async function expectRefused(headers: readonly string[], path?: string): Promise<void> {
  const before = world.app.requests.length
  const { status, head, body } = await get(headers, path)
  expect({ status, body }).toMatchObject({
    status: 400,
    body: expect.stringContaining('urn:sallyport:problem:bad-request'),
  })
  expect(head).toMatch(/^content-type: application\/problem\+json\r?$/im)
  expect(world.app.requests.length).toBe(before)
}

test.for([
  ['Host: a', 'Host: b'],
  ['Host: a', 'host: a'],
  ['HOST: a', 'X-Between: 1', 'Host: b'],
])('case 72, http fact 15: two Host headers are refused: %j', headers => expectRefused(headers))

test('case 72: no Host at all is refused', () => expectRefused([]))

test.for(['a b', 'a/b', 'user@a', 'a,b', 'a:b', 'a:80:80', 'a?b', 'a\\b', '[::1', 'a#b', ''])(
  'case 72: a Host that names no host is refused: “%s”',
  host => expectRefused([`Host: ${host}`]),
)

test.for(['app.example.com', 'app.example.com:8443', 'my_app', '127.0.0.1:80', '[::1]:8080', 'xn--bcher-kva.example.'])(
  'case 72: a Host that names one is sent on as it is: %s',
  async host => {
    expect((await get([`Host: ${host}`])).status).toBe(200)
    expect(world.app.requests.at(-1)?.headers.host).toBe(host)
  },
)

test.for([
  () => [`Authorization: Bearer ${ana}`, 'Authorization: Bearer x'],
  () => [`Authorization: Bearer ${ana}`, `authorization: Bearer ${ana}`],
  () => ['AUTHORIZATION: Basic eA==', `Authorization: Bearer ${ana}`],
])('two Authorization headers are refused', async headers => {
  await expectRefused(['Host: a', ...headers()])
  await expectRefused(['Host: a', ...headers()], '/sallyport/session')
})
