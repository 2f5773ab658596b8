import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { behavesAsAStore } from './contract.ts'
import { redisEnds } from './redis-ends.ts'
import { ask, type SentinelGroup, startSentinelGroup } from './topologies.ts'

const MINUTE = 60_000
const targetOf = ({ sentinels, name }: SentinelGroup) => ({ kind: 'sentinels', nodes: sentinels, name }) as const

describe('with a master in good health', () => {
  let group: SentinelGroup
  beforeAll(async () => {
    group = await startSentinelGroup()
  })
  afterAll(() => group.stop())

  behavesAsAStore('the store behind Sentinels', () => redisEnds(targetOf(group)))
})

const FAILURES: Record<string, (group: SentinelGroup) => unknown> = {
  'is killed': group => group.master.halt(),
  // What a machine that vanished looks like: the connections stay open, and nothing ever comes.
  'no longer answers': group => process.kill(group.master.pid, 'SIGSTOP'),
}

test.for(Object.keys(FAILURES))('loses nothing when the master %s', async failure => {
  const group = await startSentinelGroup()
  onTestFinished(() => group.stop())
  const ends = await redisEnds(targetOf(group), { commandTimeoutMilliseconds: 250 })
  onTestFinished(() => ends.close())
  const { store, other } = ends
  const lease = await store.lease('before', MINUTE)
  await store.put('before', Buffer.from('the fail-over'), MINUTE, lease?.generation ?? 0)
  // Redis replicates behind the answer: value, lease and generation have to have arrived before the master fails.
  await vi.waitFor(async () => expect(await ask(group.replica.port, 'DBSIZE')).toBe(3), { timeout: 10_000 })

  await FAILURES[failure]?.(group)
  await group.promoted()
  const promotedAt = performance.now()
  await vi.waitFor(async () => expect(await store.get('before')).toEqual(Buffer.from('the fail-over')), {
    timeout: 10_000,
    interval: 50,
  })
  await vi.waitFor(async () => expect(await other.put('after', Buffer.from('it'), MINUTE, 1)).toBe(true), {
    timeout: 10_000,
    interval: 50,
  })
  expect(performance.now() - promotedAt).toBeLessThan(8000)
  expect(await store.get('after')).toEqual(Buffer.from('it'))
  // The lease was taken along: nobody else gets it, and its holder can give it back.
  expect(await other.lease('before', MINUTE)).toBeUndefined()
  await lease?.release()
  const next = await other.lease('before', MINUTE)
  expect(next?.generation).toBeGreaterThan(lease?.generation ?? Number.POSITIVE_INFINITY)
  // And the two replicas hear each other again.
  const heard = new Set<string>()
  store.onAnnounced(key => heard.add(key))
  await vi.waitFor(
    () => {
      other.announce('something')
      expect(heard).toContain('something')
    },
    { timeout: 10_000, interval: 100 },
  )
})
