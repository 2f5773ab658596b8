import { Agent } from 'undici'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createBearerVerifier } from '../../src/identity/bearer.ts'
import { createIssuer } from '../../src/identity/issuer.ts'
import type { KeySet } from '../../src/identity/key-set.ts'
import { ecKey, issuerOptions, startPlainIssuer } from '../support/plain-issuer.ts'
import { ACCEPTED, present, rejected } from '../support/tokens.ts'
import { createTurnedClock } from '../support/turned-clock.ts'
import { startWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

test('the first tokens of a new key, all at once, are one fetch and no 401', async () => {
  const sidecar = await world.sidecar()
  const old = await world.issuer.sign()
  const before = world.issuer.hits.jwks
  await world.issuer.rotateKeys()
  const tokens = await Promise.all(Array.from({ length: 20 }, () => world.issuer.sign()))
  const outcomes = await Promise.all(tokens.map(token => present(world, sidecar, token)))
  for (const outcome of outcomes) expect(outcome).toMatchObject(ACCEPTED)
  expect(world.issuer.hits.jwks).toBe(before + 1)
  // The old key is still published, so what it signed still counts.
  expect(await present(world, sidecar, old)).toMatchObject(ACCEPTED)
  expect(world.issuer.hits.jwks).toBe(before + 1)
})

test('rotations that follow each other need no cool-down', async () => {
  const sidecar = await world.sidecar({}, { clock: createTurnedClock() })
  for (let rotation = 0; rotation < 3; rotation++) {
    await world.issuer.rotateKeys({ dropOld: true })
    expect(await present(world, sidecar, await world.issuer.sign())).toMatchObject(ACCEPTED)
  }
})

test('a key that was withdrawn takes its tokens with it, those that were accepted a moment ago too', async () => {
  const sidecar = await world.sidecar({}, { clock: createTurnedClock() })
  const old = await world.issuer.sign()
  expect(await present(world, sidecar, old)).toMatchObject(ACCEPTED)
  await world.issuer.rotateKeys({ dropOld: true })
  expect(await present(world, sidecar, await world.issuer.sign())).toMatchObject(ACCEPTED)
  expect(await present(world, sidecar, old)).toEqual(rejected('unknown-key'))
})

test('a key that was withdrawn without a successor in use is found out in ten minutes', async () => {
  const clock = createTurnedClock()
  const sidecar = await world.sidecar({}, { clock })
  const old = await world.issuer.sign()
  expect(await present(world, sidecar, old)).toMatchObject(ACCEPTED)
  await world.issuer.rotateKeys({ dropOld: true })
  clock.turn({ minutes: 10 })
  // The keys are fetched again in the background, so that nobody waits; the next one meets the new set.
  await present(world, sidecar, old)
  await vi.waitFor(async () => expect(await present(world, sidecar, old)).toEqual(rejected('unknown-key')), {
    timeout: 5000,
  })
})

test('a key that is withdrawn while its token is being judged does not leave a verdict behind', async () => {
  const plain = await startPlainIssuer()
  const issuer = createIssuer(issuerOptions(plain.issuer, new Agent()))
  try {
    issuer.start()
    await issuer.loaded
    const find: KeySet['find'] = async (kid, algorithm) => {
      const key = await issuer.keys.find(kid, algorithm)
      plain.answer('jwks', { body: { keys: [ecKey('key-2').jwk] } })
      await issuer.keys.load()
      return key
    }
    const issuers = [{ ...issuer, keys: { ...issuer.keys, find } }]
    const verifier = createBearerVerifier({ issuers, clock: createTurnedClock() })
    const token = plain.sign()
    expect(await verifier.verify(token)).toMatchObject({ subject: 'ana' })
    await expect(verifier.verify(token)).rejects.toMatchObject({ failure: { reason: 'unknown-key' } })
  } finally {
    issuer.close()
    await plain.close()
  }
})

test('the time of the last fetch is a metric', async () => {
  const clock = createTurnedClock()
  const sidecar = await world.sidecar({}, { clock })
  const line = `sallyport_jwks_last_success_timestamp_seconds{issuer="corp"} ${clock.now() / 1000}`
  expect(await sidecar.metrics()).toContain(line)
})
