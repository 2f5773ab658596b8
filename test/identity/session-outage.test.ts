import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Refusal } from '../../src/core/failure.ts'
import type { SessionDeps } from '../../src/identity/session.ts'
import { createMemoryStore } from '../../src/store/memory-store.ts'
import type { Store } from '../../src/store/store.ts'
import { connected, openRedisStore, urlTarget } from '../store/redis-ends.ts'
import { type RedisServer, startRedisServer } from '../support/redis-server.ts'
import { createTurnedClock } from '../support/turned-clock.ts'
import { openSessions, signedIn } from './session-replica.ts'

const AWAY = { failure: { kind: 'store-unavailable' } }

/** A Redis that keeps what is in it, and as many replicas' stores on it. */
async function startRedis(replicas: number): Promise<{ redis: RedisServer; stores: Store[]; back(): Promise<void> }> {
  const redis = await startRedisServer({ appendOnly: true })
  onTestFinished(() => redis.stop())
  const keyPrefix = `t${randomUUID().slice(0, 8)}:`
  const stores = Array.from({ length: replicas }, () => openRedisStore(urlTarget(redis.url), { keyPrefix }))
  onTestFinished(async () => void (await Promise.all(stores.map(store => store.close()))))
  await Promise.all(stores.map(connected))
  return {
    redis,
    stores,
    async back() {
      await redis.resume()
      await Promise.all(stores.map(connected))
    },
  }
}

test('case 59: while Redis is away who is known is served for a minute, the rest is told to come back, and nobody is signed out', async () => {
  const { redis, stores, back } = await startRedis(2)
  const clock = createTurnedClock()
  const [here, there] = stores.map(store => openSessions({ store, clock })) as [
    ReturnType<typeof openSessions>,
    ReturnType<typeof openSessions>,
  ]
  const ids = await Promise.all(Array.from({ length: 20 }, () => here.sessions.begin(signedIn())))
  const [first = ''] = ids
  const ended = vi.fn<() => void>()
  here.sessions.watch(first, ended)
  await redis.halt()
  for (let second = 0; second < 60; second += 3) {
    for (const id of ids) expect(await here.sessions.find(id), `after ${second} s`).toMatchObject({ subject: 'ana' })
    clock.turn({ seconds: 3 })
  }
  // The other replica has never seen them: it cannot say that there is no session, so it does not.
  for (const { sessions } of [here, there]) {
    await expect(sessions.find(first)).rejects.toMatchObject(AWAY)
    await expect(sessions.find(randomBytes(32).toString('base64url'))).rejects.toMatchObject(AWAY)
    await expect(sessions.begin(signedIn())).rejects.toMatchObject(AWAY)
    await expect(sessions.end(first)).rejects.toMatchObject(AWAY)
    await expect(sessions.endOf('corp', { subject: 'ana', sid: undefined })).rejects.toMatchObject(AWAY)
    expect(sessions.find('no id')).toBeUndefined()
  }
  await pause(1500)
  expect(ended).not.toHaveBeenCalled()
  await back()
  for (const { sessions } of [here, there]) {
    for (const id of ids) expect(await sessions.find(id)).toMatchObject({ subject: 'ana' })
  }
  expect(await there.sessions.end(first)).toBeDefined()
})

test('a session that was announced to be over does not go on because the store is away', async () => {
  const clock = createTurnedClock()
  const store = createMemoryStore(clock)
  let away = false
  const failing: Store = {
    ...store,
    get: key => (away ? Promise.reject(new Refusal({ kind: 'store-unavailable' })) : store.get(key)),
  }
  const [here, there] = [openSessions({ store, clock }), openSessions({ store: failing, clock })]
  const id = await here.sessions.begin(signedIn())
  expect(await there.sessions.find(id)).toBeDefined()
  away = true
  await here.sessions.end(id)
  await expect(there.sessions.find(id)).rejects.toMatchObject(AWAY)
  away = false
  expect(await there.sessions.find(id)).toBeUndefined()
})

test('a session that was announced to be refreshed goes on as it was for a minute where the store is away, unless its end is announced too', async () => {
  const clock = createTurnedClock()
  const store = createMemoryStore(clock)
  const issuer = spendingIssuer(clock)
  let away = false
  const failing: Store = {
    ...store,
    get: key => (away ? Promise.reject(new Refusal({ kind: 'store-unavailable' })) : store.get(key)),
  }
  const [here, there] = [store, failing].map(store => openSessions({ store, clock, refresh: issuer.refresh }).sessions)
  const refreshedWhileAway = async (): Promise<string> => {
    away = false
    const calls = issuer.calls()
    const id = (await here?.begin(issuer.signIn())) ?? ''
    clock.turn({ minutes: 7, seconds: 29 })
    expect(await there?.find(id)).toMatchObject({ groups: [`call ${calls}`] })
    away = true
    clock.turn({ seconds: 31 })
    await here?.find(id)
    await vi.waitFor(async () => expect(await here?.find(id)).toMatchObject({ groups: [`call ${calls + 1}`] }))
    expect(await there?.find(id)).toMatchObject({ groups: [`call ${calls}`] })
    return id
  }

  const id = await refreshedWhileAway()
  clock.turn({ seconds: 28 })
  expect(await there?.find(id)).toMatchObject({ groups: ['call 0'] })
  clock.turn({ seconds: 1 })
  await expect(there?.find(id)).rejects.toMatchObject(AWAY)
  away = false
  expect(await there?.find(id)).toMatchObject({ groups: ['call 1'] })

  const over = await refreshedWhileAway()
  await here?.end(over)
  await expect(there?.find(over)).rejects.toMatchObject(AWAY)
  away = false
  expect(await there?.find(over)).toBeUndefined()
})

/** An issuer that spends each refresh token once; `during` runs after that and before it answers. */
function spendingIssuer(clock: ReturnType<typeof createTurnedClock>, during: (call: number) => unknown = () => {}) {
  let valid = ''
  let calls = 0
  const signIn = () => {
    const answer = signedIn({ groups: [`call ${calls}`] }, { minutes: 10, clock })
    valid = answer.tokens.refreshToken?.reveal() ?? ''
    return answer
  }
  const refresh: SessionDeps['refresh'] = async (_issuer, { refreshToken }) => {
    calls++
    if (refreshToken?.reveal() !== valid) return 'ended'
    const answer = signIn()
    await during(calls)
    return answer
  }
  return { signIn, refresh, calls: () => calls }
}

test('what the issuer gave while Redis went away is used at once and written when Redis is back', async () => {
  const { redis, stores, back } = await startRedis(2)
  const clock = createTurnedClock()
  const issuer = spendingIssuer(clock, call => call === 1 && redis.halt())
  const [here, there] = stores.map(store => openSessions({ store, clock, refresh: issuer.refresh }))
  const id = (await here?.sessions.begin(issuer.signIn())) ?? ''
  clock.turn({ minutes: 9 })
  // Due, and not lapsed: the look that Redis still answers sets it off.
  expect(await here?.sessions.find(id)).toMatchObject({ groups: ['call 0'] })
  await vi.waitFor(() => expect(here?.reports).toContain('write of a refreshed session'), { timeout: 5000 })
  expect(await here?.sessions.find(id)).toMatchObject({ groups: ['call 1'] })
  clock.turn({ seconds: 30 })
  expect(await here?.sessions.find(id)).toMatchObject({ groups: ['call 1'] })
  await back()
  await vi.waitFor(async () => expect(await there?.sessions.find(id)).toMatchObject({ groups: ['call 1'] }), {
    timeout: 5000,
    interval: 100,
  })
  // Whichever replica it is, the next refresh is with the token that was given; as soon as the lease of the one before is let go.
  clock.turn({ minutes: 11 })
  for (const replica of [there, here]) {
    await vi.waitFor(
      async () => {
        clock.turn({ seconds: 5 })
        expect(await replica?.sessions.find(id)).toMatchObject({ groups: ['call 2'] })
      },
      { timeout: 10_000, interval: 100 },
    )
  }
  expect([...(here?.events ?? []), ...(there?.events ?? [])]).not.toContain('ended')
})

test('a replica that would refresh as soon as Redis is back does not sign out whose new tokens another still holds', async () => {
  const { redis, stores, back } = await startRedis(2)
  const clock = createTurnedClock()
  const issuer = spendingIssuer(clock, call => call === 1 && redis.halt())
  const bothAsked = (): Promise<void> =>
    vi.waitFor(() => expect(issuer.calls()).toBe(2), { timeout: 5000, interval: 5 })
  let writable = async (): Promise<void> => {}
  const [here, there] = stores.map((store, index) => {
    // As when the lease lapsed before Redis was back: the second gets one of its own, and asks before the first has written.
    const apart: Store = {
      ...store,
      lease: (key, ttl) => store.lease(`${index} ${key}`, ttl),
      replace: (...written) => writable().then(() => store.replace(...written)),
    }
    return openSessions({ store: apart, clock, refresh: issuer.refresh })
  })
  const id = (await here?.sessions.begin(issuer.signIn())) ?? ''
  clock.turn({ minutes: 9 })
  await here?.sessions.find(id)
  await vi.waitFor(() => expect(here?.reports).toContain('write of a refreshed session'), { timeout: 5000 })
  writable = bothAsked
  await back()
  clock.turn({ minutes: 3 })
  expect(await there?.sessions.find(id)).toMatchObject({ groups: ['call 1'] })
  expect(issuer.calls()).toBe(2)
  expect([...(here?.events ?? []), ...(there?.events ?? [])]).not.toContain('ended')
})

test('a refreshed record that a fail-over lost is written again', async () => {
  const clock = createTurnedClock()
  const issuer = spendingIssuer(clock)
  const store = createMemoryStore(clock)
  const { sessions, vault } = openSessions({ store, clock, refresh: issuer.refresh })
  const id = await sessions.begin(issuer.signIn())
  const name = vault.nameOf({ kind: 'session', owner: id })
  const before = await store.get(name)
  clock.turn({ minutes: 11 })
  expect(await sessions.find(id)).toMatchObject({ groups: ['call 1'] })
  await store.put(name, before ?? Buffer.alloc(0), 3_600_000, Number.MAX_SAFE_INTEGER)
  clock.turn({ seconds: 5 })
  expect(await sessions.find(id)).toMatchObject({ groups: ['call 1'] })
  const other = openSessions({ store, clock })
  await vi.waitFor(async () => expect((await store.get(name))?.equals(before ?? Buffer.alloc(0))).toBe(false), {
    timeout: 8000,
    interval: 100,
  })
  expect(await other.sessions.find(id)).toMatchObject({ groups: ['call 1'] })
})

test('a replica that stops waits for the refresh under way and writes what it could not write before', async () => {
  const clock = createTurnedClock()
  const store = createMemoryStore(clock)
  let away = false
  const failing: Store = {
    ...store,
    replace: (...args) => (away ? Promise.reject(new Refusal({ kind: 'store-unavailable' })) : store.replace(...args)),
  }
  const answering = Promise.withResolvers<void>()
  const issuer = spendingIssuer(clock, () => answering.promise)
  const { sessions, reports } = openSessions({ store: failing, clock, refresh: issuer.refresh })
  const id = await sessions.begin(issuer.signIn())
  clock.turn({ minutes: 9 })
  await sessions.find(id)
  await vi.waitFor(() => expect(issuer.calls()).toBe(1))
  away = true
  const closed = sessions.close().then(() => 'closed')
  expect(await Promise.race([closed, pause(100)])).toBeUndefined()
  answering.resolve()
  await vi.waitFor(() => expect(reports).toContain('write of a refreshed session'))
  away = false
  await closed
  expect(await openSessions({ store, clock }).sessions.find(id)).toMatchObject({ groups: ['call 1'] })
})
