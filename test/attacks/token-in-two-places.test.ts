import { randomUUID } from 'node:crypto'
import { request } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ACCEPTED, present, rejected, send } from '../support/tokens.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.sidecar({ rules: [{ paths: ['/public/**'], access: 'public' }, { paths: ['/**'] }] })
})
afterAll(() => world.close())

const AMBIGUOUS = { status: 400, problem: 'urn:sallyport:problem:bad-request', forwarded: false }

test.for([
  ['alone', (token: string) => `/headers?access_token=${token}`],
  ['behind others', (token: string) => `/headers?page=1&access_token=${token}`],
  ['with an escaped name', (token: string) => `/headers?%61ccess%5Ftoken=${token}`],
  ['at an endpoint of ours', (token: string) => `/sallyport/session?access_token=${token}`],
  ['on a public path', (token: string) => `/public/hello.txt?access_token=${token}`],
] as const)('20 a token in the query %s is 401, never forwarded and never written down', async ([, path]) => {
  const token = await world.issuer.sign({ jti: randomUUID() })
  expect(await send(world, sidecar, {}, path(token))).toEqual(rejected('malformed'))
  const signature = token.slice(token.lastIndexOf('.') + 1)
  const written = sidecar.auditText() + sidecar.logText() + (await sidecar.metrics())
  expect(written).not.toContain(signature)
  expect(written).not.toContain(token.split('.')[1])
  expect(JSON.stringify(world.app.requests)).not.toContain(signature)
})

test('20 the words in a value, a path or another name are no token', async () => {
  const authorization = `Bearer ${await world.issuer.sign()}`
  for (const path of ['/headers?q=access_token', '/headers?access_token_hint=1', '/headers?q=a%26access_token%3Db']) {
    expect(await send(world, sidecar, { authorization }, path), path).toMatchObject(ACCEPTED)
  }
})

test('21 a token in the header and another in the query is 400, on a public path too', async () => {
  const authorization = `Bearer ${await world.issuer.sign()}`
  for (const path of ['/headers', '/sallyport/session', '/public/hello.txt']) {
    const answer = await send(world, sidecar, { authorization }, `${path}?access_token=${await world.issuer.sign()}`)
    expect(answer, path).toMatchObject(AMBIGUOUS)
  }
})

test('21 a token in the header and another in the form is 400, and Looker is not asked', async () => {
  const callsBefore = world.looker.calls.list.length
  const authorization = `Bearer ${await world.issuer.sign()}`
  const body = new URLSearchParams({ access_token: await world.issuer.sign() })
  const answer = await send(world, sidecar, { authorization }, '/sallyport/looker/token', { method: 'POST', body })
  expect(answer).toMatchObject(AMBIGUOUS)
  expect(world.looker.calls.list).toHaveLength(callsBefore)
})

test('21 a token in the form alone is no credential: 401', async () => {
  const body = new URLSearchParams({ access_token: await world.issuer.sign() })
  const answer = await send(world, sidecar, {}, '/sallyport/looker/token', { method: 'POST', body })
  expect(answer).toMatchObject({ status: 401, challenge: 'Bearer', reason: 'no-credentials' })
})

test('22 two Authorization headers are 400, whichever is good and however they are spelled', async () => {
  const good = `Bearer ${await world.issuer.sign()}`
  const pairs = [
    ['Authorization', good, 'Authorization', good],
    ['Authorization', good, 'AUTHORIZATION', 'Basic YTpi'],
    ['authorization', 'Bearer nonsense', 'Authorization', good],
    ['Authorization', good, 'authorization', ''],
  ]
  for (const path of ['/headers', '/sallyport/session', '/public/hello.txt']) {
    for (const pair of pairs) {
      const requestId = randomUUID()
      const answer = await request(`${sidecar.url}${path}`, { headers: [...pair, 'x-request-id', requestId] })
      expect(await answer.body.json()).toMatchObject({ type: AMBIGUOUS.problem, status: 400 })
      expect(world.app.requests.some(seen => seen.headers['x-request-id'] === requestId)).toBe(false)
    }
  }
})

test('22 two tokens in one header are 401', async () => {
  const [one, other] = [await world.issuer.sign(), await world.issuer.sign()]
  for (const both of [`${one},${other}`, `${one}, Bearer ${other}`, `${one} ${other}`]) {
    expect(await present(world, sidecar, both)).toEqual(rejected('malformed'))
  }
})
