import type { JWK } from 'jose'
import { expect, test, vi } from 'vitest'
import { createKeySet, KEYS_SERVE_MILLISECONDS, type KeySet } from '../../src/identity/key-set.ts'
import { ecKey, rsaKey } from '../support/plain-issuer.ts'
import { createTurnedClock, type TurnedClock } from '../support/turned-clock.ts'

const one = ecKey('one').jwk
const two = ecKey('two').jwk
const rsa = rsaKey('rsa').jwk

interface Subject {
  keys: KeySet
  clock: TurnedClock
  /** Each fetch takes the next of these, and the last one again and again. */
  fetchKeys: ReturnType<typeof vi.fn<() => Promise<readonly JWK[]>>>
  report: ReturnType<typeof vi.fn<(error: unknown) => void>>
}

async function start(published: readonly JWK[]): Promise<Subject> {
  const clock = createTurnedClock()
  const fetchKeys = vi.fn<Subject['fetchKeys']>().mockResolvedValue(published)
  const report = vi.fn<(error: unknown) => void>()
  const keys = createKeySet({ fetchKeys, algorithms: ['ES256', 'RS256', 'PS256'], clock, report })
  await keys.load()
  return { keys, clock, fetchKeys, report }
}

test('a known key is found at once, and without a fetch', async () => {
  const { keys, fetchKeys } = await start([one, two])
  expect(await keys.find('one', 'ES256')).toMatchObject({ type: 'public', algorithm: { name: 'ECDSA' } })
  expect(keys.find('one', 'ES256')).not.toBeInstanceOf(Promise)
  expect(await keys.find('two', 'ES256')).toBeDefined()
  expect(fetchKeys).toHaveBeenCalledTimes(1)
})

test('without a kid the one key that fits is taken, and none where two do', async () => {
  const { keys, clock } = await start([one, rsa])
  expect(await keys.find(undefined, 'ES256')).toBeDefined()
  const both = await start([one, two])
  expect(await both.keys.find(undefined, 'ES256')).toBeUndefined()
  clock.turn({ minutes: 1 })
  expect(await keys.find(undefined, 'PS256')).toBeDefined()
})

test('an algorithm that is not configured, or of another kind than the key, finds nothing', async () => {
  const { keys } = await start([one, rsa, { ...one, kid: 'p-384', crv: 'P-384' }])
  for (const algorithm of ['none', 'HS256', 'RS512', 'ES384', '__proto__', 'constructor']) {
    expect(await keys.find('one', algorithm)).toBeUndefined()
  }
  expect(await keys.find('one', 'RS256')).toBeUndefined()
  expect(await keys.find('rsa', 'ES256')).toBeUndefined()
  expect(await keys.find('p-384', 'ES256')).toBeUndefined()
})

test('unknown kids are one fetch a cool-down, those at one time share it', async () => {
  const { keys, clock, fetchKeys } = await start([one])
  await Promise.all(Array.from({ length: 50 }, async (_, index) => keys.find(`made-up-${index}`, 'ES256')))
  expect(await keys.find('made-up', 'ES256')).toBeUndefined()
  expect(fetchKeys).toHaveBeenCalledTimes(2)
  clock.turn({ seconds: 9.999 })
  expect(await keys.find('made-up', 'ES256')).toBeUndefined()
  expect(fetchKeys).toHaveBeenCalledTimes(2)
  clock.turn({ seconds: 0.001 })
  expect(await keys.find('made-up', 'ES256')).toBeUndefined()
  expect(fetchKeys).toHaveBeenCalledTimes(3)
})

test('a kid that was really new leaves the way free for the next', async () => {
  const { keys, fetchKeys } = await start([one])
  fetchKeys.mockResolvedValue([one, two])
  expect(await keys.find('two', 'ES256')).toBeDefined()
  fetchKeys.mockResolvedValue([one, two, rsa])
  expect(await keys.find('rsa', 'RS256')).toBeDefined()
  expect(fetchKeys).toHaveBeenCalledTimes(3)
})

test('the version counts changes of the keys, not fetches', async () => {
  const { keys, fetchKeys } = await start([one])
  const version = keys.version()
  await keys.load()
  expect(keys.version()).toBe(version)
  fetchKeys.mockResolvedValue([two])
  await keys.load()
  expect(keys.version()).toBe(version + 1)
  expect(await keys.find('one', 'ES256')).toBeUndefined()
})

test('a fetch that fails is reported, leaves the keys as they were and is not repeated at once', async () => {
  const { keys, clock, fetchKeys, report } = await start([one])
  const trouble = new Error('out of order')
  fetchKeys.mockRejectedValue(trouble)
  clock.turn({ minutes: 10 })
  expect(await keys.find('one', 'ES256')).toBeDefined()
  await vi.waitFor(() => expect(report).toHaveBeenLastCalledWith(trouble))
  for (let time = 0; time < 5; time++) expect(await keys.find('one', 'ES256')).toBeDefined()
  expect(fetchKeys).toHaveBeenCalledTimes(2)
  clock.turn({ seconds: 10 })
  expect(await keys.find('one', 'ES256')).toBeDefined()
  expect(fetchKeys).toHaveBeenCalledTimes(3)
})

test('an unknown kid whose fetch failed is one fetch a cool-down too, and it is told that it may be a new one', async () => {
  const { keys, clock, fetchKeys } = await start([one])
  expect(keys.reachable()).toBe(true)
  fetchKeys.mockRejectedValue(new Error('out of order'))
  for (let time = 0; time < 5; time++) expect(await keys.find('two', 'ES256')).toBeUndefined()
  expect(keys.reachable()).toBe(false)
  expect(fetchKeys).toHaveBeenCalledTimes(2)
  // The one that is known goes on to be found.
  expect(await keys.find('one', 'ES256')).toBeDefined()
  clock.turn({ seconds: 10 })
  fetchKeys.mockResolvedValue([one, two])
  expect(await keys.find('two', 'ES256')).toBeDefined()
  expect(keys.reachable()).toBe(true)
})

test('keys are believed for 24 hours after the last fetch, then looked for before anything is found', async () => {
  const { keys, clock, fetchKeys } = await start([one])
  fetchKeys.mockRejectedValue(new Error('out of order'))
  clock.turn({ seconds: KEYS_SERVE_MILLISECONDS / 1000 - 1 })
  expect(keys.fresh()).toBe(true)
  clock.turn({ seconds: 1 })
  expect(keys.fresh()).toBe(false)
  await keys.find('one', 'ES256')
  expect(keys.fresh()).toBe(false)
  fetchKeys.mockResolvedValue([one])
  clock.turn({ seconds: 10 })
  expect(await keys.find('one', 'ES256')).toBeDefined()
  expect(keys.fresh()).toBe(true)
})

test('keys that were never had are not fresh', () => {
  const fetchKeys = (): Promise<readonly JWK[]> => Promise.reject(new Error('out of order'))
  const keys = createKeySet({ fetchKeys, algorithms: ['ES256'], clock: createTurnedClock(), report: () => undefined })
  expect(keys.fresh()).toBe(false)
})
