import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { createClientAddress } from '../../src/http/client-address.ts'
import { createProxyServer } from '../../src/http/server.ts'
import { expectNothingInternal, expectProblem } from '../support/problem.ts'
import { rawRequest, sendRaw } from '../support/raw-http.ts'
import { freePort } from '../../demo/free-port.ts'
import { redisStore, type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
let lost: Sidecar
let ana: string
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.sidecar({ rules: [{ paths: ['/admin/**'], groups: ['admins'] }, { paths: ['/**'] }] })
  const nowhere = `127.0.0.1:${await freePort()}`
  lost = await world.sidecar({ app: { url: `http://${nowhere}` }, store: redisStore(`redis://${nowhere}`) })
  ana = await world.issuer.sign({ sub: 'ana' })
})
afterAll(() => world.close())

const bearer = (token = ana): Record<string, string> => ({ authorization: `Bearer ${token}` })

test.for([
  ['no credentials', 401, 'unauthenticated', () => sidecar.fetch('/headers')],
  ['a bad token', 401, 'invalid-token', () => sidecar.fetch('/headers', { headers: bearer('a.b.c') })],
  ['a token in the query', 401, 'invalid-token', () => sidecar.fetch(`/headers?access_token=${ana}`)],
  ['a rule that refuses', 403, 'forbidden', () => sidecar.fetch('/admin/x', { headers: bearer() })],
  ['an odd path', 400, 'bad-request', () => sidecar.fetch('/a//b', { headers: bearer() })],
  ['a path that cannot be decoded', 400, 'bad-request', () => sidecar.fetch('/%zz')],
  ['nothing there', 404, 'not-found', () => sidecar.fetch('/sallyport/x')],
  ['another method', 405, 'method-not-allowed', () => sidecar.fetch('/sallyport/token')],
  ['an app that is down', 502, 'app-unavailable', () => lost.fetch('/headers', { headers: bearer() })],
  [
    'a store that is down',
    503,
    'store-unavailable',
    () => lost.fetch('/sallyport/looker/token', { method: 'POST', headers: bearer() }),
  ],
] as const)(
  'case 84, http fact 13: %s is %i %s, a problem document without internals',
  async ([, status, kind, ask]) => {
    await expectProblem(await ask(), status, kind)
  },
)

test.for([
  ['broken HTTP', 'NONSENSE\r\n\r\n', 400],
  ['a broken header', 'GET / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\nConnection: close\r\n\r\n', 400],
  ['headers that are too large', rawRequest('GET /', ['Host: a', `X-Large: ${'x'.repeat(40_000)}`]), 431],
  ['a path that is too long', rawRequest(`GET /${'a'.repeat(9000)}`, ['Host: a']), 400],
] as const)('case 84: %s is a problem document without internals', async ([, bytes, expected]) => {
  const { status, head, body } = await sendRaw(sidecar.url, bytes)
  expect(status).toBe(expected)
  expect(head).toMatch(/^content-type: application\/problem\+json\r?$/im)
  expect(JSON.parse(body)).toMatchObject({ status: expected, instance: expect.stringMatching(/^[\w-]{36}$/) })
  expectNothingInternal(body)
})

test('case 84: a mistake of ours is 500 internal, and only the log says what it was', async () => {
  const reported: unknown[] = []
  const mistake = new Error('connect ECONNREFUSED 10.0.0.1:6379 at /srv/src/app.ts:1')
  const server = await createProxyServer({
    prefix: '/sallyport',
    corsOrigins: [],
    clock: systemClock,
    clientAddress: createClientAddress([]),
    assertion: { assert: () => undefined, publicKeys: () => ({ keys: [] }) },
    app: undefined,
    guard: {
      verify() {
        throw mistake
      },
      appRule: () => undefined,
      ensureAudit() {},
      observeAuth() {},
      sessionOf: undefined,
      trustsOrigin: () => false,
      observeDecision() {},
    },
    // No request of this test gets as far as these.
    tokenExchange: {} as never,
    lookerToken: {} as never,
    session: {} as never,
    onBegin() {},
    onEnd() {},
    report: (_exchange, error) => reported.push(error),
    stopping: () => false,
  })
  const { statusCode, headers, body } = await server.inject({ url: '/sallyport/session', headers: bearer() })
  await server.close()
  await expectProblem(new Response(body, { status: statusCode, headers: { ...headers } as never }), 500, 'internal')
  expect(reported).toEqual([mistake])
})
