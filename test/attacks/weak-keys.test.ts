import { afterAll, beforeAll, expect, test } from 'vitest'
import { signCompact } from '../../demo/issuer/keys.ts'
import { ACCEPTED, present, rejected } from '../support/tokens.ts'
import { ecKey, type PlainIssuer, rsaKey, startPlainIssuer } from '../support/plain-issuer.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

const short = rsaKey('short', 1024)
const almost = rsaKey('almost', 2040)
const long = rsaKey('long', 2048)
const forEncryption = ecKey('for-encryption')
const forSigning = ecKey('for-signing')
const withPrivateHalf = ecKey('with-private-half')
const secret = Buffer.alloc(32, 7)
const notOnTheCurve = ecKey('not-on-the-curve')

let world: World
let issuer: PlainIssuer
let sidecar: Sidecar
beforeAll(async () => {
  ;[world, issuer] = await Promise.all([startWorld(), startPlainIssuer()])
  const keys = [
    short.jwk,
    almost.jwk,
    // RFC 7518 §6.3.1.1: zeros in front make the number no larger.
    { ...short.jwk, kid: 'padded', n: Buffer.concat([Buffer.alloc(128), nOf(short.jwk)]).toString('base64url') },
    { ...forEncryption.jwk, use: 'enc' },
    { ...forSigning.jwk, use: undefined, key_ops: ['sign'] },
    { ...forSigning.jwk, kid: 'ops-of-no-list', key_ops: 'verify' },
    { ...withPrivateHalf.privateKey.export({ format: 'jwk' }), kid: 'with-private-half', alg: 'ES256' },
    { kty: 'oct', kid: 'symmetric', k: secret.toString('base64url') },
    { ...notOnTheCurve.jwk, y: notOnTheCurve.jwk.x },
    null,
    'a key',
    { ...long.jwk, alg: 'RS256' },
    { ...issuer.key.jwk, key_ops: ['verify'] },
  ]
  issuer.answer('jwks', { body: { keys } })
  sidecar = await world.sidecar({ issuers: [{ name: 'plain', issuer: issuer.issuer, audiences: ['sallyport'] }] })
})
afterAll(() => Promise.all([world.close(), issuer.close()]))

test.for([
  ['an RSA key of 1024 bits', 'RS256', 'short', short.privateKey],
  ['an RSA key of 1024 bits, for PSS', 'PS256', 'short', short.privateKey],
  ['an RSA key of 2040 bits', 'RS256', 'almost', almost.privateKey],
  ['an RSA key of 1024 bits and many zeros', 'RS256', 'padded', short.privateKey],
  ['a key for encryption', 'ES256', 'for-encryption', forEncryption.privateKey],
  ['a key whose key_ops lack verify', 'ES256', 'for-signing', forSigning.privateKey],
  ['a key whose key_ops are no list', 'ES256', 'ops-of-no-list', forSigning.privateKey],
  ['a key whose private half is published', 'ES256', 'with-private-half', withPrivateHalf.privateKey],
  ['a key that cannot be read', 'ES256', 'not-on-the-curve', notOnTheCurve.privateKey],
] as const)('16 %s is ignored: what it signed is 401', async ([, alg, kid, key]) => {
  expect(await present(world, sidecar, issuer.sign({}, { alg, kid }, key))).toEqual(rejected('unknown-key'))
})

test('16 a symmetric key in the key set is ignored', async () => {
  const token = signCompact({ alg: 'HS256', kid: 'symmetric', typ: 'at+jwt' }, issuer.claims(), secret)
  expect(await present(world, sidecar, token)).toEqual(rejected('algorithm'))
})

test('16 the good keys beside them count', async () => {
  expect(await present(world, sidecar, issuer.sign())).toMatchObject(ACCEPTED)
  const byRsa = issuer.sign({}, { alg: 'RS256', kid: 'long' }, long.privateKey)
  expect(await present(world, sidecar, byRsa)).toMatchObject(ACCEPTED)
})

function nOf(jwk: { n?: string | undefined }): Buffer {
  return Buffer.from(jwk.n ?? '', 'base64url')
}
