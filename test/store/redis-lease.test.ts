import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type RedisServer, startRedisServer } from '../support/redis-server.ts'
import type { Ends } from './contract.ts'
import { redisEnds, urlTarget } from './redis-ends.ts'
import { ask } from './topologies.ts'

let redis: RedisServer
let ends: Ends
beforeAll(async () => {
  redis = await startRedisServer()
  ends = await redisEnds(urlTarget(redis.url), { commandTimeoutMilliseconds: 250 })
})
afterAll(async () => {
  await ends.close()
  await redis.stop()
})

test('a lease that was given too late for anybody to hold it is not kept', async () => {
  const { store, other } = ends
  // Redis has the script from here on.
  await (await store.lease('before', 60_000))?.release()
  await ask(redis.port, 'CLIENT', 'PAUSE', 600)
  await expect(store.lease('late', 60_000)).rejects.toMatchObject({ failure: { kind: 'store-unavailable' } })
  await ask(redis.port, 'PING')
  const lease = await vi.waitFor(
    async () => {
      const lease = await other.lease('late', 60_000)
      expect(lease).toBeDefined()
      return lease
    },
    { timeout: 5000, interval: 20 },
  )
  // It was given, in between.
  expect(lease?.generation).toBeGreaterThan(1)
  // And a release that comes late takes nothing from the holder of now.
  await ask(redis.port, 'PING')
  expect(await store.lease('late', 60_000)).toBeUndefined()
})
