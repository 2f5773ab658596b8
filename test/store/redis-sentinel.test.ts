import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
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
  // A connection may be ended once more when the Sentinels announce the new master.
  const settled = { timeout: 10_000, interval: 50 }
  expect(await vi.waitFor(() => store.get('after'), settled)).toEqual(Buffer.from('it'))
  // The lease was taken along: nobody else gets it, and its holder can give it back.
  expect(await vi.waitFor(() => other.lease('before', MINUTE), settled)).toBeUndefined()
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

test('finds the next master although the fail-over was told while it was asking for the one before', async () => {
  const group = await startSentinelGroup()
  onTestFinished(() => group.stop())
  const between = await startHoldingProxy(group.sentinels[0]?.port ?? 0)
  onTestFinished(() => between.close())
  const nodes = [{ host: '127.0.0.1', port: between.port }]
  const ends = await redisEnds({ kind: 'sentinels', nodes, name: group.name })
  onTestFinished(() => ends.close())
  // Who asks now waits for an answer; who listens for fail-overs already goes on to hear of them.
  const asking = between.hold()
  await group.master.halt()
  await asking
  await group.promoted()
  between.release()
  await vi.waitFor(
    async () => {
      for (const store of [ends.store, ends.other])
        expect(await store.put('after', Buffer.from('it'), MINUTE, 1)).toBe(true)
    },
    { timeout: 10_000, interval: 50 },
  )
})

interface HoldingProxy {
  readonly port: number
  /** Keeps back what is answered on new connections. Resolves when there is one. */
  hold(): Promise<void>
  release(): void
  close(): Promise<void>
}

/** Stands before a server, to make it slow at a given moment. */
async function startHoldingProxy(upstreamPort: number): Promise<HoldingProxy> {
  let held: (() => void)[] | undefined
  let asked = (): void => {}
  const sockets = new Set<Socket>()
  const server = createServer(client => {
    const upstream = connect(upstreamPort, '127.0.0.1')
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one)
      one.on('error', () => {})
      one.on('close', () => other.destroy())
    }
    client.pipe(upstream)
    const answer = (): void => void upstream.pipe(client)
    if (held === undefined) answer()
    else held.push(answer)
    asked()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    hold() {
      held = []
      return new Promise(resolve => (asked = resolve))
    },
    release() {
      for (const answer of held ?? []) answer()
      held = undefined
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
