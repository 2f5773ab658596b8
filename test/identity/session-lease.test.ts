import { expect, test } from 'vitest'
import { Refusal } from '../../src/core/failure.ts'
import { createMemoryStore } from '../../src/store/memory-store.ts'
import type { Store } from '../../src/store/store.ts'
import { createTurnedClock } from '../support/turned-clock.ts'
import { openSessions, signedIn } from './session-replica.ts'

test('a lease that could not be given back is given back when the store is there again, so that nobody waits for it to lapse', async () => {
  const clock = createTurnedClock()
  const store = createMemoryStore(clock)
  let away = false
  const unlessAway = async <T>(work: () => Promise<T>): Promise<T> => {
    if (away) throw new Refusal({ kind: 'store-unavailable' })
    return work()
  }
  const failing: Store = {
    ...store,
    get: key => unlessAway(() => store.get(key)),
    async lease(key, ttl) {
      const lease = await store.lease(key, ttl)
      return lease && { ...lease, release: () => unlessAway(() => lease.release()) }
    },
  }
  const here = openSessions({
    store: failing,
    clock,
    // The issuer is away, and the store goes too.
    async refresh() {
      away = true
      throw new Error('the issuer does not answer')
    },
  })
  const refreshed = signedIn({ groups: ['after'] }, { minutes: 60, clock })
  const there = openSessions({ store, clock, refresh: () => Promise.resolve(refreshed) })
  const id = await here.sessions.begin(signedIn({ groups: ['before'] }, { minutes: 10, clock }))
  clock.turn({ minutes: 11 })
  expect(await here.sessions.find(id)).toMatchObject({ groups: ['before'] })
  expect(here.reports).toContain('release of a lease')
  away = false
  // The clock stands, so the lease does not lapse.
  expect(await there.sessions.find(id)).toMatchObject({ groups: ['after'] })
})
