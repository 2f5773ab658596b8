import { afterAll, beforeAll, expect, test } from 'vitest'
import { present, rejected } from '../support/tokens.ts'
import { type PlainIssuer, rsaKey, startPlainIssuer } from '../support/plain-issuer.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

const attackersKey = rsaKey('key-1')
let world: World
let sidecar: Sidecar
let attacker: PlainIssuer
beforeAll(async () => {
  ;[world, attacker] = await Promise.all([startWorld(), startPlainIssuer()])
  attacker.answer('jwks', { body: { keys: [attackersKey.jwk] } })
  sidecar = await world.sidecar()
})
afterAll(() => Promise.all([world.close(), attacker.close()]))

test.for([
  ['jku', () => ({ jku: `${attacker.issuer}/jwks` })],
  ['x5u', () => ({ x5u: `${attacker.issuer}/chain.pem` })],
  ['jwk', () => ({ jwk: attackersKey.jwk })],
  ['jku and a kid of its own', () => ({ jku: `${attacker.issuer}/jwks`, kid: 'attackers' })],
  ['jku that is null', () => ({ jku: null })],
] as const)('5 a header with %s is 401, and nothing is fetched', async ([, header]) => {
  const fetchedBefore = world.issuer.hits.jwks
  const forged = await world.issuer.sign({}, { header: header(), key: attackersKey.privateKey })
  expect(await present(world, sidecar, forged)).toEqual(rejected('critical-header'))
  // Even of the right key: the next reader of this token may be less careful.
  const wellSigned = await world.issuer.sign({}, { header: header() })
  expect(await present(world, sidecar, wellSigned)).toEqual(rejected('critical-header'))
  expect(attacker.requests).toEqual([])
  expect(world.issuer.hits.jwks).toBe(fetchedBefore)
})

test('5 a certificate chain in the header (x5c) is not where the key is taken from', async () => {
  const header = { x5c: [attackersKey.privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64')] }
  const forged = await world.issuer.sign({}, { header, key: attackersKey.privateKey })
  expect(await present(world, sidecar, forged)).toEqual(rejected('signature'))
})

test('5 a key of the same kid and kind that is not the issuer’s is 401', async () => {
  const forged = await world.issuer.sign({}, { key: attackersKey.privateKey })
  expect(await present(world, sidecar, forged)).toEqual(rejected('signature'))
})
