import { expect, onTestFinished, test } from 'vitest'
import { type EmulatedLooker, startEmulatedLooker } from '../../demo/looker/emulated-looker.ts'
import { redisEnds, urlTarget } from '../store/redis-ends.ts'
import { redisUrl } from '../support/world.ts'
import { ACQUIRE, FIREFOX, openReplica, pageTokens, type Replica, scopeOf } from './embed-replica.ts'

async function startTwo(): Promise<{ looker: EmulatedLooker; replicas: [Replica, Replica] }> {
  const looker = await startEmulatedLooker()
  onTestFinished(() => looker.close())
  const { store, other, close } = await redisEnds(urlTarget(redisUrl()))
  onTestFinished(close)
  return { looker, replicas: [openReplica(looker, { store }), openReplica(looker, { store: other })] }
}

test('two hundred people who acquire at once on two replicas are one acquire each', async () => {
  const { looker, replicas } = await startTwo()
  const people = Array.from({ length: 200 }, (_, index) => scopeOf(`person-${index}`))
  const held = await Promise.all(
    people.map((scope, index) => (replicas[index % 2] as Replica).sessions.acquire(scope, FIREFOX, {})),
  )
  expect(new Set(held.map(({ lookerUserId }) => lookerUserId)).size).toBe(200)
  expect([looker.calls.count(ACQUIRE), looker.sessions.count(), looker.calls.count('login')]).toEqual([200, 200, 2])
  expect(looker.calls.highWater(ACQUIRE)).toBeLessThanOrEqual(16)
})

test('ten tabs of one person on two replicas share one session, and no authentication token', async () => {
  const { looker, replicas } = await startTwo()
  const scope = scopeOf('tabs')
  const held = await Promise.all(
    Array.from({ length: 10 }, (_, tab) => (replicas[tab % 2] as Replica).sessions.acquire(scope, FIREFOX, {})),
  )
  expect(new Set(held.map(({ authentication }) => authentication.token.reveal())).size).toBe(10)
  // Looked for before the session that was begun, and after: there was one.
  expect([looker.calls.count('user_for_credential'), looker.sessions.count()]).toEqual([2, 1])
  for (const [tab, tokens] of held.entries()) {
    // Each replica knows the session that the other began.
    const { sessions } = replicas[(tab + 1) % 2] as Replica
    expect(await sessions.generate(scope, pageTokens(tokens), FIREFOX, {})).not.toBe('over')
  }
})

test('three tabs whose session has run out begin one together', async () => {
  const { looker, replicas } = await startTwo()
  const scope = scopeOf('expired')
  await replicas[0].sessions.acquire(scope, FIREFOX, {})
  // Ended at Looker alone: the store does not know.
  looker.users.disable(looker.users.find(scope.externalUserId)?.id ?? '')
  looker.users.enable(looker.users.find(scope.externalUserId)?.id ?? '')
  const held = await Promise.all(
    [0, 1, 0].map(replica => (replicas[replica] as Replica).sessions.acquire(scope, FIREFOX, {})),
  )
  expect(looker.sessions.count()).toBe(1)
  for (const tokens of held) {
    expect(await replicas[0].sessions.generate(scope, pageTokens(tokens), FIREFOX, {})).not.toBe('over')
  }
})

test('a session that one replica ends is over for the other', async () => {
  const { looker, replicas } = await startTwo()
  const scope = scopeOf('leaver')
  const held = await replicas[0].sessions.acquire(scope, FIREFOX, {})
  await replicas[1].sessions.end(scope.externalUserId, {})
  expect(looker.sessions.count()).toBe(0)
  expect(await replicas[0].sessions.generate(scope, pageTokens(held), FIREFOX, {})).toBe('over')
})
