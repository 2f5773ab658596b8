import { randomBytes } from 'node:crypto'
import { expect, test, vi } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { createMemoryStore } from '../../src/store/memory-store.ts'
import type { Store } from '../../src/store/store.ts'
import { createTurnedClock } from '../support/turned-clock.ts'
import { deaf, openSessions, signedIn } from './session-replica.ts'

test('a session is whose it was begun for, until the absolute limit', async () => {
  const clock = createTurnedClock()
  const { sessions, events } = openSessions({ clock })
  const id = await sessions.begin(signedIn({ sub: 'ana' }))
  expect(id).toMatch(/^[\w-]{43}$/)
  expect(Buffer.from(id, 'base64url')).toHaveLength(32)
  expect(await sessions.find(id)).toMatchObject({
    issuer: 'corp',
    subject: 'ana',
    method: 'session',
    expiresAt: clock.now() + 12 * 3_600_000,
  })
  expect(events).toEqual(['started'])
})

test('case 49: every sign-in has an id of its own', async () => {
  const { sessions } = openSessions()
  const ids = await Promise.all(Array.from({ length: 100 }, () => sessions.begin(signedIn())))
  expect(new Set(ids).size).toBe(100)
})

test('a session that was just looked up is found at once, as the same object, and as the same after the next look', async () => {
  const clock = createTurnedClock()
  const store = createMemoryStore(clock)
  const looks = vi.fn<(key: string) => void>()
  const counted: Store = { ...store, get: key => (looks(key), store.get(key)) }
  const { sessions } = openSessions({ store: counted, clock })
  const id = await sessions.begin(signedIn())
  const first = sessions.find(id)
  expect(first).not.toBeInstanceOf(Promise)
  looks.mockClear()
  clock.turn({ seconds: 4.999 })
  expect(sessions.find(id)).toBe(first)
  expect(looks).not.toHaveBeenCalled()
  clock.turn({ seconds: 0.001 })
  const found = await Promise.all(Array.from({ length: 50 }, async () => sessions.find(id)))
  expect(found.every(identity => identity === first)).toBe(true)
  // The session and the two places where a sign-out would stand: once for all fifty.
  expect(looks).toHaveBeenCalledTimes(3)
  expect(sessions.find(id)).toBe(first)
})

test('case 58: an id that was tampered with, cut, swapped or made up is nobody’s session', async () => {
  const store = createMemoryStore(systemClock)
  const get = vi.fn<Store['get']>(key => store.get(key))
  const { sessions } = openSessions({ store: { ...store, get } })
  const [id, other] = [await sessions.begin(signedIn()), await sessions.begin(signedIn({ sub: 'bob' }))]
  get.mockClear()
  const malformed = [
    '',
    'x',
    id.slice(1),
    id.slice(0, -1),
    `${id}A`,
    `${id}=`,
    ` ${id}`,
    `${id}\n`,
    `${id};`,
    '__proto__',
  ]
    .concat([id.slice(0, 42) + '+', id.slice(0, 42) + 'é', '/'.repeat(43), 'A'.repeat(100_000), `${id}\n${other}`])
    .concat([randomBytes(31).toString('base64url'), randomBytes(33).toString('base64url'), id.slice(0, 42) + '\0'])
  for (const wrong of malformed) {
    expect(sessions.find(wrong), wrong.slice(0, 60)).toBeUndefined()
    expect(await sessions.end(wrong)).toBeUndefined()
  }
  expect(get).not.toHaveBeenCalled()
  const alike = [randomBytes(32).toString('base64url'), id.slice(0, 21) + other.slice(21), id.toLowerCase()]
    .concat(id.split('').toReversed().join(''))
    // The last character has two bits to spare: other spellings of the same bytes are other ids.
    .concat(
      'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
        .split('')
        .map(last => id.slice(0, 42) + last)
        .filter(text => text !== id),
    )
  for (const wrong of alike) expect(await sessions.find(wrong), wrong).toBeUndefined()
  expect(await sessions.find(id)).toMatchObject({ subject: 'ana' })
  expect(await sessions.find(other)).toMatchObject({ subject: 'bob' })
})

test('case 58: a record that was moved to the place of another session opens nothing', async () => {
  const store = createMemoryStore(systemClock)
  const first = openSessions({ store })
  const id = await first.sessions.begin(signedIn())
  const record = await store.get(first.vault.nameOf({ kind: 'session', owner: id }))
  const wanted = randomBytes(32).toString('base64url')
  const name = first.vault.nameOf({ kind: 'session', owner: wanted })
  await store.put(name, record ?? Buffer.alloc(0), 60_000, Number.MAX_SAFE_INTEGER)
  expect(await openSessions({ store }).sessions.find(wanted)).toBeUndefined()
  await store.put(name, randomBytes(200), 60_000, Number.MAX_SAFE_INTEGER)
  expect(await openSessions({ store }).sessions.find(wanted)).toBeUndefined()
})

test('case 59: a session that is used lives on, one that is not used for the idle time is over', async () => {
  const clock = createTurnedClock()
  const { sessions, events } = openSessions({ clock, idleMinutes: 60 })
  const [used, left] = [await sessions.begin(signedIn()), await sessions.begin(signedIn())]
  for (let round = 0; round < 3; round++) {
    clock.turn({ minutes: 59 })
    expect(await sessions.find(used)).toBeDefined()
  }
  expect(await sessions.find(left)).toBeUndefined()
  clock.turn({ minutes: 59, seconds: 59 })
  expect(await sessions.find(used)).toBeDefined()
  clock.turn({ minutes: 60 })
  expect(await sessions.find(used)).toBeUndefined()
  expect(events).toEqual(['started', 'started', 'expired', 'expired'])
})

test('case 59: the idle time counts from the last use to 5 s, however often it is used between two looks', async () => {
  const clock = createTurnedClock()
  const { sessions } = openSessions({ clock, idleMinutes: 1 })
  const id = await sessions.begin(signedIn())
  clock.turn({ seconds: 4 })
  expect(await sessions.find(id)).toBeDefined()
  clock.turn({ seconds: 55 })
  expect(await sessions.find(id)).toBeDefined()
  clock.turn({ seconds: 61 })
  expect(await sessions.find(id)).toBeUndefined()
})

test('case 59: an idle time of seconds is kept too', async () => {
  const clock = createTurnedClock()
  const { sessions } = openSessions({ clock, idleMinutes: 2 / 60 })
  const id = await sessions.begin(signedIn())
  for (let looks = 0; looks < 10; looks++) {
    clock.turn({ seconds: 1.4 })
    expect(await sessions.find(id)).toBeDefined()
  }
  clock.turn({ seconds: 2 })
  expect(await sessions.find(id)).toBeUndefined()
})

test('case 59: the absolute limit ends a session that is used all the time, to the millisecond', async () => {
  const clock = createTurnedClock()
  const { sessions, events } = openSessions({ clock, idleMinutes: 60, absoluteMinutes: 120 })
  const id = await sessions.begin(signedIn())
  for (let minute = 1; minute < 120; minute++) {
    clock.turn({ minutes: 1 })
    expect(await sessions.find(id), `after ${minute} minutes`).toBeDefined()
  }
  clock.turn({ seconds: 59.999 })
  expect(await sessions.find(id)).toBeDefined()
  clock.turn({ seconds: 0.001 })
  expect(await sessions.find(id)).toBeUndefined()
  expect(events).toEqual(['started', 'expired'])
})

test('ending a session says whose it was, once', async () => {
  const { sessions, events } = openSessions()
  const answer = signedIn({ sub: 'ana' })
  const id = await sessions.begin(answer)
  const ended = await Promise.all([sessions.end(id), sessions.end(id), sessions.end(id)])
  expect(ended.filter(one => one !== undefined)).toHaveLength(1)
  const one = ended.find(candidate => candidate !== undefined)
  expect(one).toMatchObject({ issuer: 'corp', identity: { subject: 'ana', groups: ['analytics'] } })
  expect(one?.idToken.reveal()).toBe(answer.tokens.idToken.reveal())
  expect(await sessions.find(id)).toBeUndefined()
  expect(await sessions.end(id)).toBeUndefined()
  expect(await sessions.end(randomBytes(32).toString('base64url'))).toBeUndefined()
  expect(events).toEqual(['started', 'ended'])
})

test('a session that ends while it is being looked up is not remembered from that look', async () => {
  const store = createMemoryStore(systemClock)
  const looking = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const slow: Store = {
    ...store,
    async get(key) {
      const value = await store.get(key)
      looking.resolve()
      await goOn.promise
      return value
    },
  }
  const [here, there] = [openSessions({ store }), openSessions({ store: slow })]
  const id = await here.sessions.begin(signedIn())
  const found = there.sessions.find(id)
  await looking.promise
  await here.sessions.end(id)
  // Whoever asks after the end gets no answer from before it.
  const after = there.sessions.find(id)
  goOn.resolve()
  await found
  expect(await after).toBeUndefined()
  expect(await there.sessions.find(id)).toBeUndefined()
})

test('a session whose claims the configuration no longer understands is none, and is there again when it does', async () => {
  const store = createMemoryStore(systemClock)
  const before = openSessions({ store })
  const id = await before.sessions.begin(signedIn({ groups: ['analytics'] }))
  const record = { kind: 'session', owner: id }
  const kept = await before.vault.read(record, value => value as Record<string, unknown>)
  await before.vault.write(record, { ...kept, claims: { sub: 'ana', groups: 7 } }, 60_000)
  const after = openSessions({ store })
  expect(await after.sessions.find(id)).toBeUndefined()
  expect(after.reports).toEqual(['identity of a session'])
  await before.vault.write(record, kept, 60_000)
  expect(await after.sessions.find(id)).toMatchObject({ groups: ['analytics'] })
})

test('claims that do not hold begin no session', async () => {
  const { sessions, events } = openSessions()
  await expect(sessions.begin(signedIn({ groups: 7 }))).rejects.toMatchObject({ failure: { kind: 'token-rejected' } })
  expect(events).toEqual([])
})

test('who watches a session hears once when it ends, at once, and not after they stopped watching', async () => {
  const { sessions } = openSessions()
  const [id, other] = [await sessions.begin(signedIn()), await sessions.begin(signedIn())]
  const [ended, twice, stopped, unharmed] = Array.from({ length: 4 }, () => vi.fn<() => void>())
  sessions.watch(id, () => {
    ended?.()
    throw new Error('the one who watched is in trouble')
  })
  for (let count = 0; count < 2; count++) sessions.watch(id, () => twice?.())
  sessions.watch(id, () => stopped?.())()
  sessions.watch(other, () => unharmed?.())
  await sessions.end(id)
  await vi.waitFor(() => expect(twice).toHaveBeenCalledTimes(2), { timeout: 500 })
  expect(ended).toHaveBeenCalledTimes(1)
  expect(stopped).not.toHaveBeenCalled()
  expect(unharmed).not.toHaveBeenCalled()
})

test('who watches a session hears of its absolute limit, and keeps it from becoming idle until then', async () => {
  const clock = createTurnedClock()
  const store = deaf(createMemoryStore(clock))
  const { sessions } = openSessions({ store, clock, idleMinutes: 1, absoluteMinutes: 5 })
  const ended = vi.fn<() => void>()
  const id = await sessions.begin(signedIn())
  sessions.watch(id, ended)
  const touched = vi.spyOn(store, 'touch')
  for (let turned = 0; turned < 290; turned += 58) {
    touched.mockClear()
    clock.turn({ seconds: 58 })
    await vi.waitFor(() => expect(touched).toHaveBeenCalled(), { timeout: 3000 })
    expect(ended).not.toHaveBeenCalled()
  }
  clock.turn({ seconds: 10 })
  await vi.waitFor(() => expect(ended).toHaveBeenCalledTimes(1), { timeout: 3000 })
})
