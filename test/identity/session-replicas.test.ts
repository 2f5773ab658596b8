import { randomUUID } from 'node:crypto'
import { expect, onTestFinished, test, vi } from 'vitest'
import { connected, openRedisStore, urlTarget } from '../store/redis-ends.ts'
import { createTurnedClock } from '../support/turned-clock.ts'
import { redisUrl } from '../support/world.ts'
import { deaf, openSessions, signedIn } from './session-replica.ts'

/** Stores of two replicas on one Redis, whose announcements arrive. */
async function twoStores() {
  const keyPrefix = `t${randomUUID().slice(0, 8)}:`
  const [one, two] = [1, 2].map(() => openRedisStore(urlTarget(redisUrl()), { keyPrefix }))
  if (one === undefined || two === undefined) throw new Error('no stores')
  onTestFinished(async () => void (await Promise.all([one.close(), two.close()])))
  await Promise.all([connected(one), connected(two)])
  const heard = vi.fn<(key: string) => void>()
  two.onAnnounced(heard)
  await vi.waitFor(
    () => {
      one.announce('are you there')
      expect(heard).toHaveBeenCalled()
    },
    { timeout: 5000, interval: 50 },
  )
  return [one, two] as const
}

test('a session that was begun on one replica is found on the other, and ended there is over on the first at once', async () => {
  const [one, two] = await twoStores()
  const clock = createTurnedClock()
  const [here, there] = [openSessions({ store: one, clock }), openSessions({ store: two, clock })]
  const ids = await Promise.all(
    ['ana', 'bob', 'eve'].map(sub => here.sessions.begin(signedIn({ sub, sid: `of ${sub}` }))),
  )
  for (const id of ids) expect(await there.sessions.find(id)).toEqual(await here.sessions.find(id))
  const [ana = '', bob = '', eve = ''] = ids
  const ended = vi.fn<() => void>()
  for (const id of ids) here.sessions.watch(id, ended)
  expect(await there.sessions.end(ana)).toMatchObject({ identity: { subject: 'ana' } })
  expect(await there.sessions.endOf('corp', { subject: 'bob', sid: undefined })).toMatchObject({ subject: 'bob' })
  expect(await there.sessions.endOf('corp', { subject: undefined, sid: 'of eve' })).toMatchObject({ subject: 'eve' })
  // The clocks stand still: nothing but the announcement makes the first replica look again.
  for (const id of [ana, bob, eve]) {
    await vi.waitFor(async () => expect(await here.sessions.find(id)).toBeUndefined(), { timeout: 2000, interval: 5 })
    expect(await there.sessions.find(id)).toBeUndefined()
  }
  await vi.waitFor(() => expect(ended).toHaveBeenCalledTimes(3), { timeout: 2000 })
})

test('a session that was ended elsewhere is over after 5 s where the announcement was lost', async () => {
  const [one, two] = await twoStores()
  const clock = createTurnedClock()
  const [here, there] = [openSessions({ store: one, clock }), openSessions({ store: deaf(two), clock })]
  const ids = await Promise.all(
    ['ana', 'bob', 'eve'].map(sub => here.sessions.begin(signedIn({ sub, sid: `of ${sub}` }))),
  )
  for (const id of ids) expect(await there.sessions.find(id)).toBeDefined()
  const [ana = '', bob, eve] = ids
  await here.sessions.end(ana)
  await here.sessions.endOf('corp', { subject: 'bob', sid: undefined })
  await here.sessions.endOf('corp', { subject: undefined, sid: 'of eve' })
  clock.turn({ seconds: 5 })
  for (const id of [ana, bob, eve]) expect(await there.sessions.find(id ?? '')).toBeUndefined()
})

test('two replicas that end a session together say once whose it was', async () => {
  const [one, two] = await twoStores()
  const [here, there] = [openSessions({ store: one }), openSessions({ store: two })]
  const id = await here.sessions.begin(signedIn())
  const ends = await Promise.all([here, there, here, there].map(({ sessions }) => sessions.end(id)))
  expect(ends.filter(one => one !== undefined)).toHaveLength(1)
})

test('the idle time of a session in Redis counts from its last use on any replica', async () => {
  const [one, two] = await twoStores()
  const idleMinutes = 1 / 60
  const [here, there] = [openSessions({ store: one, idleMinutes }), openSessions({ store: deaf(two), idleMinutes })]
  const id = await here.sessions.begin(signedIn())
  for (let looks = 0; looks < 4; looks++) {
    await new Promise(resolve => setTimeout(resolve, 400))
    // A replica that was only just started looks into Redis.
    expect(await openSessions({ store: one, idleMinutes }).sessions.find(id)).toBeDefined()
  }
  await vi.waitFor(
    async () => expect(await openSessions({ store: one, idleMinutes }).sessions.find(id)).toBeUndefined(),
    { timeout: 5000, interval: 1200 },
  )
  await vi.waitFor(async () => expect(await there.sessions.find(id)).toBeUndefined(), { timeout: 8000 })
})
