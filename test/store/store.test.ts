import { expect, test } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { createMemoryStore } from '../../src/store/memory-store.ts'
import { redisUrl } from '../support/world.ts'
import { behavesAsAStore } from './contract.ts'
import { redisEnds, urlTarget } from './redis-ends.ts'

behavesAsAStore('the store in memory', async () => {
  const store = createMemoryStore(systemClock)
  return { store, other: store, close: () => store.close() }
})

behavesAsAStore('the store in Redis', () => redisEnds(urlTarget(redisUrl())))

test('memory keeps a hundred thousand values and lets the oldest go for one more', async () => {
  const store = createMemoryStore(systemClock)
  const value = Buffer.from('v')
  for (let count = 0; count <= 100_000; count++) await store.put(`key ${count}`, value, 60_000, 1)
  expect(await store.get('key 0')).toBeUndefined()
  expect(await store.get('key 1')).toEqual(value)
  expect(await store.get('key 100000')).toEqual(value)
})

test('memory does not grow with leases, whether they were given back or lapsed', async () => {
  let now = 0
  const store = createMemoryStore({ now: () => now })
  for (let count = 0; count <= 100_000; count++) {
    const lease = await store.lease(`key ${count}`, 1)
    if (count % 2 === 0) await lease?.release()
    now += 2
  }
  // The oldest is forgotten whole: even its generation, which by now nobody can be writing under.
  expect(await store.put('key 0', Buffer.from('v'), 60_000, 0)).toBe(true)
  expect(await store.put('key 1', Buffer.from('v'), 60_000, 0)).toBe(false)
})
