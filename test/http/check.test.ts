import { afterAll, beforeAll, expect, test } from 'vitest'
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

test('without an identity it is 401, and 200 without identity headers on a public path', async () => {
  const refused = await ask('GET', '/reports/1')
  expect(refused.status).toBe(401)
  expect(refused.headers.get('www-authenticate')).toBe('Bearer')
  const open = await ask('GET', '/assets/logo.svg')
  expect(open.status).toBe(200)
  expect(open.headers.get('x-forwarded-user')).toBeNull()
})

test('a peer that is not a trusted proxy is refused, whatever it says', async () => {
  const closed = await world.sidecar({ rules: RULES })
  const answer = await closed.fetch('/sallyport/check', {
    headers: { 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/assets/logo.svg', authorization: `Bearer ${ana}` },
  })
  expect(answer.status).toBe(403)
})

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
