import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Claims } from '../../src/core/identity.ts'
import type { SessionDeps, SignedIn } from '../../src/identity/session.ts'
import { createMemoryStore } from '../../src/store/memory-store.ts'
import type { Store } from '../../src/store/store.ts'
import { connected, openRedisStore, urlTarget } from '../store/redis-ends.ts'
import { createTurnedClock, type TurnedClock } from '../support/turned-clock.ts'
import { redisUrl } from '../support/world.ts'
import { deaf, openSessions, signedIn } from './session-replica.ts'

/** An issuer that gives each refresh token once: one that is spent, or was never given, is `invalid_grant`. */
function createRotatingIssuer(clock: TurnedClock, options: { delay?: number; claims?: Claims } = {}) {
  const valid = new Set<string>()
  const refresh: SessionDeps['refresh'] = async (_issuer, { refreshToken }) => {
    issuer.calls++
    await pause(options.delay ?? 1)
    if (issuer.away) throw new Error('the issuer does not answer')
    return valid.delete(refreshToken?.reveal() ?? '') ? issuer.signIn() : 'ended'
  }
  const issuer = {
    calls: 0,
    claims: options.claims ?? {},
    away: false,
    refresh,
    signIn(): SignedIn {
      const answer = signedIn(issuer.claims, { minutes: 10, clock })
      valid.add(answer.tokens.refreshToken?.reveal() ?? '')
      return answer
    },
    revoke: () => valid.clear(),
  }
  return issuer
}

/** One replica with a clock and an issuer of its own. */
function openOne(options: Parameters<typeof createRotatingIssuer>[1] = {}, store?: (own: Store) => Store) {
  const clock = createTurnedClock()
  const issuer = createRotatingIssuer(clock, options)
  const own = createMemoryStore(clock)
  return { clock, issuer, store: own, ...openSessions({ clock, store: store?.(own) ?? own, refresh: issuer.refresh }) }
}

test('tokens are refreshed ahead, behind everybody’s back, and the next decision uses the claims of then', async () => {
  const { clock, issuer, sessions, events } = openOne({ claims: { groups: ['before'] } })
  const id = await sessions.begin(issuer.signIn())
  const before = await sessions.find(id)
  clock.turn({ minutes: 7, seconds: 29 })
  expect(await sessions.find(id)).toBe(before)
  expect(issuer.calls).toBe(0)
  issuer.claims = { groups: ['after'] }
  clock.turn({ seconds: 31 })
  expect(await sessions.find(id)).toBe(before)
  await vi.waitFor(async () => expect(await sessions.find(id)).toMatchObject({ groups: ['after'] }))
  expect(issuer.calls).toBe(1)
  expect(events).toEqual(['started', 'refreshed'])
  // And again, with the token that came with the first.
  clock.turn({ minutes: 8 })
  await sessions.find(id)
  await vi.waitFor(() => expect(issuer.calls).toBe(2))
  clock.turn({ minutes: 8 })
  expect(await sessions.find(id)).toBeDefined()
})

test('two hundred requests at expiry on two replicas are one refresh, and all two hundred are served', async () => {
  const clock = createTurnedClock()
  const issuer = createRotatingIssuer(clock, { delay: 300, claims: { groups: ['before'] } })
  const keyPrefix = `t${randomUUID().slice(0, 8)}:`
  const stores = [1, 2].map(() => openRedisStore(urlTarget(redisUrl()), { keyPrefix }))
  onTestFinished(async () => void (await Promise.all(stores.map(store => store.close()))))
  await Promise.all(stores.map(connected))
  const replicas = stores.map(store => openSessions({ store, clock, refresh: issuer.refresh }).sessions)
  const id = (await replicas[0]?.begin(issuer.signIn())) ?? ''
  for (const replica of replicas) await replica.find(id)
  for (let round = 1; round <= 3; round++) {
    issuer.claims = { groups: [`round ${round}`] }
    clock.turn({ minutes: 11 })
    const found = await Promise.all(Array.from({ length: 200 }, async (_, index) => replicas[index % 2]?.find(id)))
    expect(found.map(identity => identity?.groups)).toEqual(found.map(() => [`round ${round}`]))
    expect(issuer.calls).toBe(round)
  }
})

test('who comes while a lapsed session is being refreshed waits for it too', async () => {
  const { clock, issuer, sessions } = openOne({ delay: 50, claims: { groups: ['before'] } })
  const id = await sessions.begin(issuer.signIn())
  issuer.claims = { groups: ['after'] }
  clock.turn({ minutes: 11 })
  const first = sessions.find(id)
  await vi.waitFor(() => expect(issuer.calls).toBe(1), { interval: 1 })
  expect(await sessions.find(id)).toMatchObject({ groups: ['after'] })
  expect(await first).toMatchObject({ groups: ['after'] })
  expect(issuer.calls).toBe(1)
})

test('an issuer that takes too long keeps nobody waiting for longer than the bound', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const clock = createTurnedClock()
  const answered = Promise.withResolvers<SignedIn>()
  const refresh = vi.fn<SessionDeps['refresh']>(() => answered.promise)
  const { sessions } = openSessions({ clock, refresh })
  const id = await sessions.begin(signedIn({}, { minutes: 10, clock }))
  clock.turn({ minutes: 11 })
  const found = Promise.resolve(sessions.find(id)).then(identity => identity?.subject)
  await vi.advanceTimersByTimeAsync(10_000)
  expect(await Promise.race([found, Promise.resolve('waiting')])).toBe('waiting')
  await vi.advanceTimersByTimeAsync(1_000)
  expect(await found).toBe('ana')
  expect(refresh).toHaveBeenCalledTimes(1)
  answered.reject(new Error('the issuer does not answer'))
})

test('a refresh that takes longer than its lease would last is not begun by another replica', async () => {
  const clock = createTurnedClock()
  const answered = Promise.withResolvers<SignedIn>()
  const refresh = vi.fn<SessionDeps['refresh']>(() => answered.promise)
  const store = createMemoryStore(clock)
  const extended = vi.fn<(ttl: number) => void>()
  const leased: Store = {
    ...store,
    async lease(key, ttl) {
      const lease = await store.lease(key, ttl)
      return lease && { ...lease, extend: more => (extended(more), lease.extend(more)) }
    },
  }
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  onTestFinished(() => void vi.useRealTimers())
  const [here, there] = [
    openSessions({ store: leased, clock, refresh }),
    openSessions({ store: leased, clock, refresh }),
  ]
  const id = await here.sessions.begin(signedIn({}, { minutes: 10, clock }))
  clock.turn({ minutes: 9 })
  await here.sessions.find(id)
  await vi.waitFor(() => expect(refresh).toHaveBeenCalledTimes(1))
  for (let seconds = 0; seconds < 60; seconds += 10) {
    clock.turn({ seconds: 10 })
    await vi.advanceTimersByTimeAsync(10_000)
    if (seconds < 40) expect(await there.sessions.find(id)).toBeDefined()
  }
  expect(extended).toHaveBeenCalledTimes(6)
  expect(refresh).toHaveBeenCalledTimes(1)
  answered.resolve(signedIn({ groups: ['after'] }, { minutes: 10, clock }))
  await vi.waitFor(async () => expect(await here.sessions.find(id)).toMatchObject({ groups: ['after'] }))
  await vi.advanceTimersByTimeAsync(60_000)
  expect(extended).toHaveBeenCalledTimes(6)
})

test('while the issuer is away nobody is signed out: people are served as they were, and it is asked less and less often', async () => {
  const { clock, issuer, sessions, events } = openOne()
  const id = await sessions.begin(issuer.signIn())
  const identity = await sessions.find(id)
  issuer.away = true
  clock.turn({ minutes: 20 })
  const calls: number[] = []
  for (let minute = 0; minute < 10; minute++) {
    const before = issuer.calls
    for (let second = 0; second < 60; second += 2) {
      expect(await sessions.find(id)).toBe(identity)
      clock.turn({ seconds: 2 })
    }
    calls.push(issuer.calls - before)
  }
  expect(calls[0]).toBeGreaterThanOrEqual(3)
  expect(calls[0]).toBeLessThanOrEqual(6)
  for (const count of calls.slice(3)) expect(count).toBeLessThanOrEqual(2)
  issuer.away = false
  clock.turn({ minutes: 2 })
  expect(await sessions.find(id)).not.toBe(identity)
  expect(events.filter(event => event === 'refreshed')).toHaveLength(1)
  expect(new Set(events)).toEqual(new Set(['started', 'refresh_failed', 'refreshed']))
})

test('invalid_grant ends the session on every replica, and nothing else does', async () => {
  const { clock, issuer, store, sessions, events } = openOne()
  const other = openSessions({ store, clock, refresh: issuer.refresh })
  const [id, unharmed] = [await sessions.begin(issuer.signIn()), await sessions.begin(signedIn())]
  const ended = vi.fn<() => void>()
  other.sessions.watch(id, ended)
  expect(await other.sessions.find(id)).toBeDefined()
  issuer.revoke()
  clock.turn({ minutes: 11 })
  expect(await sessions.find(id)).toBeUndefined()
  expect(await other.sessions.find(id)).toBeUndefined()
  expect(await sessions.find(unharmed)).toBeDefined()
  await vi.waitFor(() => expect(ended).toHaveBeenCalledTimes(1), { timeout: 2000 })
  expect(events).toEqual(['started', 'started', 'ended'])
  expect(issuer.calls).toBe(1)
})

test('a replica that is told invalid_grant uses what another has stored meanwhile', async () => {
  const clock = createTurnedClock()
  const issuer = createRotatingIssuer(clock)
  const store = createMemoryStore(clock)
  // As while seal keys are rotated: the two do not meet at the same lease.
  const apart: Store = { ...store, lease: (key, ttl) => store.lease(`apart ${key}`, ttl) }
  const goOn = Promise.withResolvers<void>()
  const slow: Store = { ...store, replace: (...args) => goOn.promise.then(() => store.replace(...args)) }
  const [here, there] = [
    openSessions({ store: slow, clock, refresh: issuer.refresh }),
    openSessions({ store: apart, clock, refresh: issuer.refresh }),
  ]
  const id = await here.sessions.begin(issuer.signIn())
  issuer.claims = { groups: ['after'] }
  clock.turn({ minutes: 11 })
  const first = here.sessions.find(id)
  await vi.waitFor(() => expect(issuer.calls).toBe(1))
  const second = there.sessions.find(id)
  await vi.waitFor(() => expect(issuer.calls).toBe(2))
  await pause(300)
  goOn.resolve()
  expect(await second).toMatchObject({ groups: ['after'] })
  expect(await first).toMatchObject({ groups: ['after'] })
  expect([...here.events, ...there.events]).not.toContain('ended')
})

test('a session that is ended during its refresh stays ended', async () => {
  const { clock, issuer, store, sessions, vault } = openOne({ delay: 100 })
  const [id, other] = [await sessions.begin(issuer.signIn()), await sessions.begin(issuer.signIn())]
  clock.turn({ minutes: 11 })
  const found = Promise.all([id, other].map(async one => sessions.find(one)))
  await vi.waitFor(() => expect(issuer.calls).toBe(2))
  await openSessions({ store, clock }).sessions.end(id)
  await openSessions({ store, clock }).sessions.endOf('corp', { subject: 'ana', sid: undefined })
  expect(await found).toEqual([undefined, undefined])
  for (const one of [id, other]) expect(await sessions.find(one)).toBeUndefined()
  expect(await vault.read({ kind: 'session', owner: id }, value => value)).toBeUndefined()
})

test('claims that the configuration cannot use leave the session with those before, and the refresh token is kept', async () => {
  const { clock, issuer, sessions, reports } = openOne({ claims: { groups: ['before'] } })
  const id = await sessions.begin(issuer.signIn())
  issuer.claims = { groups: 7 }
  clock.turn({ minutes: 11 })
  expect(await sessions.find(id)).toMatchObject({ groups: ['before'] })
  expect(reports).toEqual(['claims of a refreshed session'])
  issuer.claims = { groups: ['after'] }
  clock.turn({ minutes: 11 })
  expect(await sessions.find(id)).toMatchObject({ groups: ['after'] })
})

test('an answer for somebody else is no answer', async () => {
  const { clock, issuer, sessions, events } = openOne()
  const id = await sessions.begin(issuer.signIn())
  issuer.claims = { sub: 'eve' }
  clock.turn({ minutes: 11 })
  expect(await sessions.find(id)).toMatchObject({ subject: 'ana' })
  expect(events).toEqual(['started', 'refresh_failed'])
})

test('a sign-out after a refresh names the person with the claims of then', async () => {
  const { clock, issuer, sessions } = openOne({ claims: { groups: ['before'] } })
  const id = await sessions.begin(issuer.signIn())
  issuer.claims = { groups: ['after'] }
  clock.turn({ minutes: 11 })
  await sessions.find(id)
  expect(await sessions.endOf('corp', { subject: 'ana', sid: undefined })).toMatchObject({ groups: ['after'] })
})

test('an issuer that gives no new refresh token has the old one sent again', async () => {
  const clock = createTurnedClock()
  const sent: (string | undefined)[] = []
  const refresh: SessionDeps['refresh'] = async (_issuer, { refreshToken }) => {
    sent.push(refreshToken?.reveal())
    const answer = signedIn({}, { minutes: 10, clock })
    return { ...answer, tokens: { ...answer.tokens, refreshToken: undefined } }
  }
  const { sessions } = openSessions({ clock, refresh })
  const answer = signedIn({}, { minutes: 10, clock })
  const id = await sessions.begin(answer)
  for (let round = 0; round < 3; round++) {
    clock.turn({ minutes: 11 })
    expect(await sessions.find(id)).toBeDefined()
  }
  expect(sent).toEqual(Array.from({ length: 3 }, () => answer.tokens.refreshToken?.reveal()))
})

test('a session without a refresh token lasts to its limits and is not refreshed', async () => {
  const { clock, issuer, sessions } = openOne()
  const answer = signedIn({}, { minutes: 5, clock })
  const id = await sessions.begin({ ...answer, tokens: { ...answer.tokens, refreshToken: undefined } })
  for (let round = 0; round < 10; round++) {
    clock.turn({ minutes: 55 })
    expect(await sessions.find(id)).toBeDefined()
  }
  expect(issuer.calls).toBe(0)
})

test('a replica that hears nothing of a refresh uses the new claims within 5 s, one that hears of it at once', async () => {
  // The clocks of the others stand: of themselves they would go on with what they have.
  const [clock, standing] = [createTurnedClock(), createTurnedClock()]
  const issuer = createRotatingIssuer(clock, { claims: { groups: ['before'] } })
  const store = createMemoryStore(clock)
  const [here, told, untold] = [
    openSessions({ store, clock, refresh: issuer.refresh }),
    openSessions({ store, clock: standing }),
    openSessions({ store: deaf(store), clock: standing }),
  ]
  const id = await here.sessions.begin(issuer.signIn())
  for (const { sessions } of [here, told, untold]) expect(await sessions.find(id)).toMatchObject({ groups: ['before'] })
  issuer.claims = { groups: ['after'] }
  clock.turn({ minutes: 8 })
  await here.sessions.find(id)
  await vi.waitFor(async () => expect(await here.sessions.find(id)).toMatchObject({ groups: ['after'] }))
  expect(await told.sessions.find(id)).toMatchObject({ groups: ['after'] })
  expect(await untold.sessions.find(id)).toMatchObject({ groups: ['before'] })
  standing.turn({ seconds: 5 })
  expect(await untold.sessions.find(id)).toMatchObject({ groups: ['after'] })
})
