import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ACCEPTED, present, rejected } from '../support/tokens.ts'
import { ecKey, startPlainIssuer } from '../support/plain-issuer.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.sidecar()
})
afterAll(() => world.close())

test.for(['HS256', 'HS384', 'HS512'])('3 %s keyed with the RSA public key is 401', async alg => {
  const [key] = world.issuer.signingKeys
  const publicKey = createPublicKey({ key: { ...key }, format: 'jwk' })
  const { kty, n, e, kid } = key ?? {}
  const secrets = [
    publicKey.export({ type: 'spki', format: 'pem' }),
    publicKey.export({ type: 'pkcs1', format: 'pem' }),
    publicKey.export({ type: 'spki', format: 'der' }),
    JSON.stringify({ kty, n, e, kid }),
    n ?? '',
  ]
  for (const secret of secrets) {
    const token = await world.issuer.sign({}, { header: { alg }, key: Buffer.from(secret as string) })
    expect(await present(world, sidecar, token)).toEqual(rejected('algorithm'))
  }
})

test('4 PS256 with a key that is published for RS256 is 401', async () => {
  const token = await world.issuer.sign({}, { header: { alg: 'PS256' } })
  expect(await present(world, sidecar, token)).toEqual(rejected('unknown-key'))
})

test('4 an algorithm of another kind of key is 401 under the kid of an RSA key', async () => {
  const ed25519 = generateKeyPairSync('ed25519').privateKey
  for (const [alg, key] of [
    ['ES256', ecKey('any').privateKey],
    ['EdDSA', ed25519],
  ] as const) {
    const token = await world.issuer.sign({}, { header: { alg }, key })
    expect(await present(world, sidecar, token)).toEqual(rejected('unknown-key'))
  }
})

test('4 an algorithm that the issuer is not configured for is 401, though key and signature fit', async () => {
  const narrow = await world.sidecar({
    issuers: [{ name: 'corp', issuer: world.issuer.issuer, audiences: ['sallyport'], algorithms: ['ES256'] }],
  })
  expect(await present(world, narrow, await world.issuer.sign())).toEqual(rejected('algorithm'))
})

test('4 a key published without alg still goes with its own kind only', async () => {
  const issuer = await startPlainIssuer()
  try {
    const { alg: _alg, ...jwk } = issuer.key.jwk
    issuer.answer('jwks', { body: { keys: [jwk] } })
    const plain = await world.sidecar({
      issuers: [{ name: 'plain', issuer: issuer.issuer, audiences: ['sallyport'] }],
    })
    expect(await present(world, plain, issuer.sign())).toMatchObject(ACCEPTED)
    for (const alg of ['RS256', 'PS256', 'ES384', 'EdDSA']) {
      expect(await present(world, plain, issuer.sign({}, { alg }))).toEqual(rejected('unknown-key'))
    }
  } finally {
    await issuer.close()
  }
})
