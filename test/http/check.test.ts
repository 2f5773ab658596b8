import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectProblem } from '../support/problem.ts'
import { rawRequest, sendRaw } from '../support/raw-http.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
let ana = ''
let vic = ''

const RULES = [
  { paths: ['/assets/**'], access: 'public' },
  { paths: ['/admin/**'], groups: ['analytics'] },
  { paths: ['/**'], methods: ['GET'] },
]

beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.sidecar({
    server: { publicUrl: 'http://127.0.0.1:8080', trustedProxies: ['127.0.0.0/8'] },
    rules: RULES,
  })
  ana = (await world.issuer.signIn('ana')).accessToken
  vic = (await world.issuer.signIn('vic')).accessToken
})
afterAll(() => world.close())

const ask = (method: string, uri: string, token?: string): Promise<Response> =>
  sidecar.fetch('/sallyport/check', {
    headers: {
      'x-forwarded-method': method,
      'x-forwarded-uri': uri,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
  })

test('an ingress learns whether a request may pass, and who is asking', async () => {
  const answer = await ask('GET', '/admin/users?page=2', ana)
  expect(answer.status).toBe(200)
  expect(answer.headers.get('x-forwarded-user')).toBe('ana')
  expect(answer.headers.get('x-forwarded-groups')).toBe('analytics')
  expect(answer.headers.get('x-sallyport-assertion')).toMatch(/^ey/)
  expect(await answer.text()).toBe('')
  expect(world.app.requests).toEqual([])
})

test.for([
  ['a person whom the rule does not admit', 'GET', '/admin/users', 403],
  ['a method that no rule has', 'DELETE', '/reports/1', 403],
  ['a path that could be read in two ways', 'GET', '/assets/..%2fadmin', 403],
  ['what anybody with an identity may', 'GET', '/reports/1', 200],
] as const)('%s is judged by the request asked about', async ([, method, uri, status]) => {
  expect((await ask(method, uri, vic)).status).toBe(status)
})

test('a token in two places is refused with a status that an ingress knows', async () => {
  await expectProblem(await ask('GET', '/reports/1?access_token=x', vic), 403, 'forbidden')
})

test('without an identity it is 401, and 200 without identity headers on a public path', async () => {
  const refused = await ask('GET', '/reports/1')
  expect(refused.status).toBe(401)
  expect(refused.headers.get('www-authenticate')).toBe('Bearer')
  const open = await ask('GET', '/assets/logo.svg')
  expect(open.status).toBe(200)
  expect(open.headers.get('x-forwarded-user')).toBeNull()
})

describe('Envoy asks with the request’s own method and puts our path before its path', () => {
  const askAs = (method: string, uri: string, headers: Record<string, string> = {}): Promise<Response> =>
    sidecar.fetch(`/sallyport/check${uri}`, { method, headers: { authorization: `Bearer ${vic}`, ...headers } })

  test.for([
    ['what anybody with an identity may', 'GET', '/reports/1?page=2', 200],
    ['a method that no rule has', 'DELETE', '/reports/1', 403],
    ['a person whom the rule does not admit', 'GET', '/admin/users', 403],
    ['Sallyport’s own path, which is no rule’s', 'POST', '/sallyport/looker/token', 403],
    ['the root', 'GET', '/', 200],
  ] as const)('%s', async ([, method, uri, status]) => {
    expect((await askAs(method, uri)).status).toBe(status)
  })

  test('a path that could be read in two ways is refused', async () => {
    for (const uri of ['/assets/..%2fadmin', '/assets/%2e%2e/admin', '//admin', '/x;/admin']) {
      const { status } = await sendRaw(
        sidecar.url,
        rawRequest(`GET /sallyport/check${uri}`, ['Host: app', `Authorization: Bearer ${vic}`]),
      )
      expect([uri, status]).toEqual([uri, 403])
    }
  })

  test('a token in two places is refused with a status that an ingress knows', async () => {
    const answer = await askAs('GET', '/reports/1?access_token=x')
    await expectProblem(answer, 403, 'forbidden')
  })

  test.for(['nonsense', 'application/json', 'text/plain'])('a body that comes along is not judged: %s', async type => {
    const init = { method: 'POST', body: '{'.repeat(100_000), headers: { 'content-type': type } }
    expect((await sidecar.fetch('/sallyport/check/assets/logo.svg', init)).status).toBe(200)
  })

  test('headers of the client that name another request are not asked', async () => {
    const headers = { 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/assets/logo.svg' }
    expect((await askAs('GET', '/admin/users', headers)).status).toBe(403)
  })

  test('is told to drop the client’s copies of what is not said, and the bearer', async () => {
    const known = await askAs('GET', '/reports/1')
    expect(known.headers.get('x-forwarded-user')).toBe('vic')
    expect(known.headers.get('x-envoy-auth-headers-to-remove')).toBe('authorization')
    const unknown = await askAs('GET', '/assets/logo.svg', { authorization: 'Bearer of-the-app' })
    expect(unknown.headers.get('x-envoy-auth-headers-to-remove')?.split(',')).toEqual([
      'x-forwarded-user',
      'x-forwarded-email',
      'x-forwarded-preferred-username',
      'x-forwarded-groups',
      'x-sallyport-assertion',
    ])
  })

  test('a peer that is not a trusted proxy is refused', async () => {
    const closed = await world.sidecar({ rules: RULES })
    const answer = await closed.fetch('/sallyport/check/assets/logo.svg')
    expect(answer.status).toBe(403)
  })

  test('is audited and counted as the request that was asked about', async () => {
    await askAs('GET', '/admin/asked-by-envoy')
    await expect
      .poll(() => sidecar.audit.find(line => JSON.stringify(line).includes('asked-by-envoy')))
      .toMatchObject({ api: { operation: 'GET /admin/asked-by-envoy' }, unmapped: { rule: 'rules[1]' } })
    expect(await sidecar.metrics()).toMatch(/sallyport_http_requests_total\{route="check",method="GET",code="403"\}/)
  })
})

test('a peer that is not a trusted proxy is refused, whatever it says', async () => {
  const closed = await world.sidecar({ rules: RULES })
  const answer = await closed.fetch('/sallyport/check', {
    headers: { 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/assets/logo.svg', authorization: `Bearer ${ana}` },
  })
  expect(answer.status).toBe(403)
})

test.for(['GoogleHC/1.0', 'kube-probe/1.33', 'oauth2-proxy-health'])(
  'no User-Agent opens anything: %s',
  async agent => {
    const headers = { 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/reports/1', 'user-agent': agent }
    expect((await sidecar.fetch('/sallyport/check', { headers })).status).toBe(401)
  },
)

test('a question that says nothing to judge is refused', async () => {
  expect((await sidecar.fetch('/sallyport/check', { headers: { authorization: `Bearer ${ana}` } })).status).toBe(403)
})

test('the decision is audited for the request that was asked about', async () => {
  await ask('GET', '/admin/audited', vic)
  await expect
    .poll(() => sidecar.audit.find(line => JSON.stringify(line).includes('/admin/audited')))
    .toMatchObject({
      class_uid: 6003,
      action: 'Denied',
      api: { operation: 'GET /admin/audited' },
      unmapped: { rule: 'rules[1]' },
    })
})
