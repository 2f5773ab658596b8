import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectProblem } from '../support/problem.ts'
import { json, type Sidecar, startWorld, type World } from '../support/world.ts'

const RULES = [
  { paths: ['/public/**', '/favicon.ico'], access: 'public' },
  { paths: ['/status/*'], methods: ['GET'], groups: ['analytics'] },
  { paths: ['/status/*'], groups: ['viewers'] },
  { paths: ['/headers'], emails: ['*@example.com'], claims: { region: ['EMEA', 'APAC'] } },
  { paths: ['/echo'], methods: ['POST'], emails: ['VIC@example.com'] },
  { paths: ['/bytes/*'] },
]

let world: World
let sidecar: Sidecar
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.sidecar({ rules: RULES })
})
afterAll(() => world.close())

const call = async (path: string, sub?: string, method = 'GET', claims = {}): Promise<Response> =>
  sidecar.fetch(path, {
    method,
    headers: sub === undefined ? {} : { authorization: `Bearer ${await world.issuer.sign({ sub, ...claims })}` },
  })

/** Refused, and the app heard nothing of it. */
async function expectRefused(response: Promise<Response>, status: 401 | 403): Promise<void> {
  const before = world.app.requests.length
  await expectProblem(await response, status, status === 401 ? 'unauthenticated' : 'forbidden')
  expect(world.app.requests.length).toBe(before)
}

describe('public', () => {
  test('everybody gets in, and the app is told of nobody', async () => {
    expect((await call('/public/hello.txt')).status).toBe(200)
    expect(world.app.requests.at(-1)?.headers).not.toHaveProperty('x-forwarded-user')
  })

  test('somebody with an identity is still named to the app', async () => {
    expect((await call('/public/hello.txt', 'ana')).status).toBe(200)
    expect(world.app.requests.at(-1)?.headers['x-forwarded-user']).toBe('ana')
  })

  test('a bearer that is not ours is the app’s, and names nobody', async () => {
    await sidecar.fetch('/public/hello.txt', { headers: { authorization: 'Bearer of-the-app' } })
    expect(world.app.requests.at(-1)?.headers).toMatchObject({ authorization: 'Bearer of-the-app' })
    expect(world.app.requests.at(-1)?.headers).not.toHaveProperty('x-forwarded-user')
  })

  test.for(['/public', '/public/', '/public/a/b'])('/public/** is the folder and all below it: %s', async path => {
    expect((await call(path)).status).toBe(404)
    expect(world.app.requests.at(-1)?.url).toBe(path)
  })

  test.for(['/publicity', '/favicon.ico/x', '/favicon-ico', '/PUBLIC/hello.txt'])('%s is not public', async path => {
    await expectRefused(call(path), 401)
  })

  test.for(['/headers?/public/hello.txt', '/headers?x=/favicon.ico'])('a query never opens a path: %s', async path => {
    await expectRefused(call(path), 401)
  })
})

describe('the first rule that matches decides', () => {
  test('whoever it admits', async () => {
    expect((await call('/status/200', 'ana')).status).toBe(200)
  })

  test('whoever it does not admit is not handed to the next', async () => {
    await expectRefused(call('/status/200', 'vic'), 403)
  })

  test('another method is another rule', async () => {
    expect((await call('/status/204', 'vic', 'DELETE')).status).toBe(204)
    await expectRefused(call('/status/204', 'ana', 'DELETE'), 403)
  })
})

test('a rule with e-mails and claims needs both', async () => {
  expect(await json(call('/headers', 'ana'))).toMatchObject({ 'x-forwarded-user': 'ana' })
  await expectRefused(call('/headers', 'vic'), 403)
  await expectRefused(call('/headers', 'ana', 'GET', { email: 'ana@evil.example' }), 403)
  await expectRefused(call('/headers', 'ana', 'GET', { email: 'ana@evil.example@example.com' }), 403)
  await expectRefused(call('/headers', 'ana', 'GET', { email_verified: false }), 403)
})

test('an e-mail matches in any case', async () => {
  expect((await call('/echo', 'vic', 'POST')).status).toBe(200)
  await expectRefused(call('/echo', 'ana', 'POST'), 403)
})

test('a rule that names nobody needs an identity and any will do', async () => {
  expect((await call('/bytes/3', 'nora')).status).toBe(200)
  await expectRefused(call('/bytes/3'), 401)
})

test('rules are there and none matches: refused', async () => {
  await expectRefused(call('/slow', 'ana'), 403)
  await expectRefused(call('/echo', 'vic', 'PUT'), 403)
  await expectRefused(call('/slow'), 401)
})

test('without rules every path needs an identity', async () => {
  const one = await world.sidecar()
  await expectProblem(await one.fetch('/public/hello.txt'), 401, 'unauthenticated')
  const authorization = `Bearer ${await world.issuer.sign({ sub: 'nora' })}`
  expect((await one.fetch('/public/hello.txt', { headers: { authorization } })).status).toBe(200)
})

test('the rules are not those of Sallyport’s own endpoints', async () => {
  expect((await call('/sallyport/session', 'nora')).status).toBe(200)
})
