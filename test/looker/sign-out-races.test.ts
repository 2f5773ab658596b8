import { expect, onTestFinished, test } from 'vitest'
import { startEmulatedLooker } from '../../demo/looker/emulated-looker.ts'
import { systemClock } from '../../src/core/clock.ts'
import { createMemoryStore } from '../../src/store/memory-store.ts'
import type { Store } from '../../src/store/store.ts'
import { DELETE, FIREFOX, openReplica, scopeOf } from './embed-replica.ts'

/** Two replicas and their store; something happens just before one of them removes a record. */
async function startRace() {
  const looker = await startEmulatedLooker()
  onTestFinished(() => looker.close())
  const store = createMemoryStore(systemClock)
  let before: (() => unknown) | undefined
  const held: Store = {
    ...store,
    async remove(key) {
      const happens = before
      before = undefined
      await happens?.()
      return store.remove(key)
    },
  }
  return {
    looker,
    here: openReplica(looker, { store: held }),
    there: openReplica(looker, { store }),
    beforeRemoval: (happens: () => unknown) => (before = happens),
  }
}

test('a token that another replica writes while its person signs out ends with the others', async () => {
  const { looker, here, there, beforeRemoval } = await startRace()
  const scope = scopeOf('racer')
  const { lookerUserId } = await here.broker.tokenFor(scope, {})
  beforeRemoval(() => there.broker.tokenFor(scopeOf('racer', { userAttributes: { region: 'north' } }), {}))
  await here.broker.revoke(scope, {})
  expect(looker.tokenCount(lookerUserId)).toBe(0)
})

test('so does the first one of all', async () => {
  const { looker, here, there, beforeRemoval } = await startRace()
  const scope = scopeOf('newcomer')
  beforeRemoval(() => there.broker.tokenFor(scope, {}))
  const lookerUserId = await here.broker.revoke(scope, {})
  expect(lookerUserId).toBeDefined()
  expect(looker.tokenCount(lookerUserId ?? '')).toBe(0)
})

test('so does an embed session', async () => {
  const { looker, here, there, beforeRemoval } = await startRace()
  const scope = scopeOf('viewer')
  beforeRemoval(() => there.sessions.acquire(scope, FIREFOX, {}))
  const ended = looker.calls.count(DELETE)
  expect(await here.sessions.end(scope.externalUserId, {})).toBeDefined()
  expect(looker.calls.count(DELETE)).toBe(ended + 1)
})

test('tokens that could not be ended are kept beside one that was made since, and end when it is tried again', async () => {
  const { looker, here, there } = await startRace()
  const scope = scopeOf('unlucky')
  const { lookerUserId } = await here.broker.tokenFor(scope, {})
  looker.faults.inject({ kind: 'delay', operation: 'logout', milliseconds: 300 })
  looker.faults.inject({ kind: 'server-error', operation: 'logout' })
  const revoking = here.broker.revoke(scope, {})
  const failed = expect(revoking).rejects.toThrow()
  await expect.poll(() => looker.calls.inFlight('logout')).toBe(1)
  const { token } = await there.broker.tokenFor(scope, {})
  await failed
  // What was made since is still the one that everybody gets.
  expect((await here.broker.tokenFor(scope, {})).token.reveal()).toBe(token.reveal())
  expect(looker.tokenCount(lookerUserId)).toBe(2)
  await here.broker.revoke(scope, {})
  expect(looker.tokenCount(lookerUserId)).toBe(0)
})
