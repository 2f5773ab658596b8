import { expect, onTestFinished, test, vi } from 'vitest'
import { createMemoryStore } from '../../src/store/memory-store.ts'
import type { Store } from '../../src/store/store.ts'
import { ACQUIRE, FIREFOX, openReplica, pageTokens, scopeOf, startTurnable } from './embed-replica.ts'

/** Two replicas on one store, before a Looker that takes its time; `pass` lets time go by, for leases too. */
async function startTwo() {
  const { looker, clock, advance } = await startTurnable()
  let refuseExtensions = false
  const memory = createMemoryStore(clock)
  const extended = vi.fn<() => void>()
  const store: Store = {
    ...memory,
    async lease(key, ttl) {
      const lease = await memory.lease(key, ttl)
      const extend = async (more: number): Promise<boolean> => {
        extended()
        if (refuseExtensions) throw new Error('the store is away')
        return lease?.extend(more) ?? false
      }
      return lease && { ...lease, extend }
    },
  }
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  onTestFinished(() => void vi.useRealTimers())
  const pass = async (seconds: number): Promise<void> => {
    for (let passed = 0; passed < seconds; passed++) {
      advance(1)
      await vi.advanceTimersByTimeAsync(1000)
    }
  }
  return {
    looker,
    replicas: [openReplica(looker, { clock, store }), openReplica(looker, { clock, store })] as const,
    pass,
    extended,
    loseExtensions: (lost: boolean) => void (refuseExtensions = lost),
  }
}

test('a login that takes longer than a lease is done by one replica for both', async () => {
  const { looker, replicas, pass, extended } = await startTwo()
  const [here, there] = replicas
  looker.faults.inject({ kind: 'delay', operation: 'login_user', milliseconds: 500 })
  const first = here.broker.tokenFor(scopeOf('slow'), {})
  await expect.poll(() => looker.calls.inFlight('login_user')).toBe(1)
  await pass(25)
  const [a, b] = await Promise.all([first, there.broker.tokenFor(scopeOf('slow'), {})])
  expect(b.token.reveal()).toBe(a.token.reveal())
  expect([looker.calls.count('login_user'), looker.tokenCount(a.lookerUserId)]).toEqual([1, 1])
  extended.mockClear()
  await pass(25)
  expect(extended).not.toHaveBeenCalled()
})

test('an embed session that takes longer than a lease to begin is begun by one replica for both', async () => {
  const { looker, replicas, pass } = await startTwo()
  const [here, there] = replicas
  looker.faults.inject({ kind: 'delay', operation: ACQUIRE, milliseconds: 500 })
  const first = here.sessions.acquire(scopeOf('slow'), FIREFOX, {})
  await expect.poll(() => looker.calls.inFlight(ACQUIRE)).toBe(1)
  await pass(25)
  const [a] = await Promise.all([first, there.sessions.acquire(scopeOf('slow'), FIREFOX, {})])
  expect(await there.sessions.generate(scopeOf('slow'), pageTokens(a), FIREFOX, {})).not.toBe('over')
  // Begun by the one, joined by the other.
  expect([looker.calls.count(ACQUIRE), looker.sessions.count()]).toEqual([2, 1])
})

test('an extension that fails is made good by the next one', async () => {
  const { looker, replicas, pass, loseExtensions } = await startTwo()
  const [here, there] = replicas
  looker.faults.inject({ kind: 'delay', operation: 'login_user', milliseconds: 500 })
  const first = here.broker.tokenFor(scopeOf('shaky'), {})
  await expect.poll(() => looker.calls.inFlight('login_user')).toBe(1)
  loseExtensions(true)
  await pass(6)
  loseExtensions(false)
  await pass(15)
  await Promise.all([first, there.broker.tokenFor(scopeOf('shaky'), {})])
  expect(looker.calls.count('login_user')).toBe(1)
})
