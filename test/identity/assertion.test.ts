import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { json, redisStore, type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
let ana = ''

beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.sidecar()
  ana = (await world.issuer.signIn('ana')).accessToken
})
afterAll(() => world.close())

async function assertionFrom(through: Sidecar, headers: Record<string, string> = {}): Promise<string> {
  const seen = await json(through.fetch('/headers', { headers: { authorization: `Bearer ${ana}`, ...headers } }))
  return String(seen['x-sallyport-assertion'])
}

test('the app can check who is calling with a few lines of jose', async () => {
  const keys = createRemoteJWKSet(new URL('/sallyport/jwks.json', sidecar.url))
  const { payload, protectedHeader } = await jwtVerify(await assertionFrom(sidecar), keys, {
    issuer: 'http://127.0.0.1:8080',
    audience: world.app.url,
    algorithms: ['ES256'],
  })
  expect(protectedHeader.alg).toBe('ES256')
  expect(payload).toMatchObject({ sub: 'ana', email: 'ana@example.com', groups: ['analytics'], idp: 'corp' })
  const { iat = 0, exp = 0 } = payload
  expect(exp - iat).toBeLessThanOrEqual(60)
})

test('an assertion that the client brings is dropped', async () => {
  const forged = await assertionFrom(sidecar, { 'x-sallyport-assertion': 'forged', X_Sallyport_Assertion: 'forged' })
  expect(decodeJwt(forged)).toMatchObject({ sub: 'ana' })
})

test('the published keys have no private part', async () => {
  const response = await sidecar.fetch('/sallyport/jwks.json')
  expect(response.headers.get('content-type')).toBe('application/jwk-set+json')
  const { keys } = (await response.json()) as { keys: Record<string, unknown>[] }
  expect(keys).toHaveLength(1)
  expect(Object.keys(keys[0] ?? {}).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
})

test('one person’s assertion is signed once for many requests', async () => {
  const [first, second] = await Promise.all([assertionFrom(sidecar), assertionFrom(sidecar)])
  expect(await assertionFrom(sidecar)).toBe(second)
  expect(decodeJwt(first)).toMatchObject({ sub: 'ana' })
})

test('two replicas that start together sign with one key, and a restart keeps it', async () => {
  const store = redisStore()
  const [one, two] = await Promise.all([world.sidecar({ store }), world.sidecar({ store })])
  const keysOf = async (replica: Sidecar): Promise<string> =>
    JSON.stringify((await json(replica.fetch('/sallyport/jwks.json')))['keys'])
  await expect.poll(async () => (await keysOf(one)) === (await keysOf(two)) && (await keysOf(one)) !== '[]').toBe(true)
  const restarted = await world.sidecar({ store })
  await expect.poll(() => keysOf(restarted)).toBe(await keysOf(one))
})
