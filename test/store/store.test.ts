import { expect, onTestFinished, test } from 'vitest'
import { Refusal } from '../../src/core/failure.ts'
import { systemClock } from '../../src/core/clock.ts'
import { createMemoryStore } from '../../src/store/memory-store.ts'
import type { Store } from '../../src/store/store.ts'
import { redisUrl } from '../support/world.ts'
import { behavesAsAStore } from './contract.ts'
import { startRedisServer } from '../support/redis-server.ts'
import { connected, openRedisStore, redisEnds, urlTarget } from './redis-ends.ts'

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

test('memory that is told to be small is', async () => {
  const store = createMemoryStore(systemClock, 2)
  for (const key of ['one', 'two', 'three']) await store.put(key, Buffer.from(key), 60_000, 1)
  const kept = await Promise.all(['one', 'two', 'three'].map(key => store.get(key)))
  expect(kept.map(value => value?.toString())).toEqual([undefined, 'two', 'three'])
})

test('memory lets what is in use outlive a flood of new values', async () => {
  const store = createMemoryStore(systemClock)
  const value = Buffer.from('v')
  for (const key of ['in use', 'left']) await store.put(key, value, 60_000, 1)
  for (let count = 0; count < 99_999; count++) {
    await store.put(`key ${count}`, value, 60_000, 1)
    if (count === 50_000) await store.touch('in use', 60_000)
  }
  expect(await store.get('in use')).toEqual(value)
  expect(await store.get('left')).toBeUndefined()
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

test('answers the first command although the connection is only being made', async () => {
  const store = openRedisStore(urlTarget(redisUrl()))
  onTestFinished(() => store.close())
  expect(await store.get('nothing there')).toBeUndefined()
})

test('does not take its own busyness for a Redis that is slow', async () => {
  const store = await connected(openRedisStore(urlTarget(redisUrl()), { commandTimeoutMilliseconds: 100 }))
  onTestFinished(() => store.close())
  const answers = Array.from({ length: 100 }, (_, index) => store.get(`key ${index}`))
  const until = performance.now() + 400
  while (performance.now() < until);
  expect(await Promise.all(answers)).toHaveLength(100)
})

test('refuses within its deadline where Redis is not there, hangs, or never was', async () => {
  const redis = await startRedisServer()
  onTestFinished(() => redis.stop())
  const store = await connected(openRedisStore(urlTarget(redis.url), { commandTimeoutMilliseconds: 200 }))
  const late = openRedisStore(urlTarget('redis://127.0.0.1:1'), { commandTimeoutMilliseconds: 200 })
  onTestFinished(async () => void (await Promise.all([store.close(), late.close()])))
  const refusal = async (from: Store): Promise<unknown> => {
    const started = performance.now()
    const failure = await from.get('key').catch((error: unknown) => (error instanceof Refusal ? error.failure : error))
    expect(performance.now() - started).toBeLessThan(3000)
    return failure
  }
  process.kill(redis.pid, 'SIGSTOP')
  expect(await refusal(store)).toEqual({ kind: 'store-unavailable' })
  await redis.halt()
  expect(await refusal(store)).toEqual({ kind: 'store-unavailable' })
  expect(await refusal(late)).toEqual({ kind: 'store-unavailable' })
  await redis.resume()
  await connected(store)
})
