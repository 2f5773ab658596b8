import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { startSentinelGroup } from '../store/topologies.ts'
import { startRedisServer } from '../support/redis-server.ts'
import { startWorld, type World, type Written } from '../support/world.ts'
import {
  createPeople,
  storeOn,
  replicaSections,
  sessionEvents,
  signInAll,
  startLoad,
  startReplicaProcesses,
} from './sessions.ts'

/** So short that sessions are being refreshed before, during and after. */
const ACCESS_TOKEN_SECONDS = 8
/** Longer than what is remembered of a session is believed: in the end every look at the store has failed. */
const AWAY_MILLISECONDS = 6_000

const people = createPeople(200)
let world: World
beforeAll(async () => {
  world = await startWorld({ issuer: { people, accessTokenLifeSeconds: ACCESS_TOKEN_SECONDS } })
})
afterAll(() => world.close())

interface Stored {
  readonly store: Written
  /** Resolves when Redis takes commands again. */
  trouble(): Promise<void>
}

async function restarted(): Promise<Stored> {
  const redis = await startRedisServer({ appendOnly: true })
  onTestFinished(() => redis.stop())
  return {
    store: storeOn({ url: redis.url }),
    async trouble() {
      await redis.halt()
      await pause(AWAY_MILLISECONDS)
      await redis.resume()
    },
  }
}

async function failedOver(): Promise<Stored> {
  const group = await startSentinelGroup()
  onTestFinished(() => group.stop())
  return {
    store: storeOn({ sentinels: group.sentinels, sentinelName: group.name }),
    async trouble() {
      // Redis replicates behind the answer: what was written so far has to have arrived before the master fails.
      const admin = new Redis(group.master.port)
      await admin.set('mark', 'everything before')
      expect(await admin.wait(1, 10_000)).toBe(1)
      admin.disconnect()
      await group.master.halt()
      await group.promoted()
    },
  }
}

const TROUBLES: { how: string; start: () => Promise<Stored> }[] = [
  { how: 'restarted, with its append-only file', start: restarted },
  { how: 'failed over under Sentinel', start: failedOver },
]

test.for(TROUBLES)(
  'when Redis is $how none of two hundred people who are at work is signed out',
  { timeout: 120_000 },
  async ({ how, start }) => {
    const { store, trouble } = await start()
    const replicas = await startReplicaProcesses(world, store)
    const sessions = await signInAll(replicas[0], people)
    const load = startLoad(replicas, sessions)
    await load.everybodyServed()
    await vi.waitFor(async () => expect((await sessionEvents(replicas))['refreshed']).toBeGreaterThan(0), {
      timeout: 30_000,
      interval: 250,
    })
    const before = load.count()
    await trouble()
    expect(load.count()).toBeGreaterThan(before)
    await load.everybodyServed()
    await load.end()
    // By one that remembers nobody: it is all in Redis.
    const fresh = await world.sidecar(replicaSections(world, replicas[0].url, store))
    const later = startLoad([fresh], sessions)
    await later.everybodyServed()
    await later.end()

    process.stderr.write(`Redis ${how}: ${load.served()} answers, and ${load.count() - load.served()} times 503\n`)
    expect([...load.wrong, ...later.wrong]).toEqual([])
    const events = await sessionEvents(replicas)
    expect(events['started']).toBe(people.length)
    expect({ ended: events['ended'] ?? 0, expired: events['expired'] ?? 0 }).toEqual({ ended: 0, expired: 0 })
    for (const replica of replicas) expect(replica.output()).not.toMatch(/unhandled/i)
  },
)
