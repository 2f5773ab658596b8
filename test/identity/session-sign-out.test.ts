import { expect, test, vi } from 'vitest'
import { createMemoryStore } from '../../src/store/memory-store.ts'
import type { Store } from '../../src/store/store.ts'
import { createTurnedClock } from '../support/turned-clock.ts'
import { deaf, openSessions, signedIn } from './session-replica.ts'

const ana = (sid?: string) => signedIn({ sub: 'ana', ...(sid === undefined ? {} : { sid }) })

test('case 54: a sign-out of the subject ends every session of theirs and nobody else’s', async () => {
  const { sessions, events } = openSessions()
  const theirs = await Promise.all([ana(), ana('one'), ana('two')].map(answer => sessions.begin(answer)))
  const others = [
    await sessions.begin(signedIn({ sub: 'bob', sid: 'three' })),
    await sessions.begin({ ...ana('one'), issuer: 'partner' }),
  ]
  const ended = vi.fn<() => void>()
  for (const id of theirs) sessions.watch(id, ended)
  expect(await sessions.endOf('corp', { subject: 'ana', sid: undefined })).toMatchObject({
    issuer: 'corp',
    subject: 'ana',
    groups: ['analytics'],
  })
  for (const id of theirs) expect(await sessions.find(id)).toBeUndefined()
  for (const id of others) expect(await sessions.find(id)).toBeDefined()
  await vi.waitFor(() => expect(ended).toHaveBeenCalledTimes(3), { timeout: 500 })
  expect(events.filter(event => event !== 'started')).toEqual(['ended'])
})

test.for([{ subject: 'ana' }, { subject: undefined }])(
  'case 54: a sign-out with a sid ends that session and leaves the subject’s others, subject said: $subject',
  async ({ subject }) => {
    const { sessions } = openSessions()
    const [meant, other] = [await sessions.begin(ana('one')), await sessions.begin(ana('two'))]
    const elsewhere = await sessions.begin({ ...ana('one'), issuer: 'partner' })
    expect(await sessions.endOf('corp', { subject, sid: 'one' })).toMatchObject({ subject: 'ana' })
    expect(await sessions.find(meant)).toBeUndefined()
    expect(await sessions.find(other)).toBeDefined()
    expect(await sessions.find(elsewhere)).toBeDefined()
  },
)

test('a sign-out with subject and sid ends a session whose ID token had no sid: it may be the one', async () => {
  const { sessions } = openSessions()
  const [unnamed, bob] = [await sessions.begin(ana()), await sessions.begin(signedIn({ sub: 'bob' }))]
  expect(await sessions.endOf('corp', { subject: 'ana', sid: 'unheard of' })).toMatchObject({ subject: 'ana' })
  expect(await sessions.find(unnamed)).toBeUndefined()
  expect(await sessions.find(bob)).toBeDefined()
})

test('a sign-out of somebody who was never seen ends nothing and names nobody', async () => {
  const { sessions, events } = openSessions()
  const id = await sessions.begin(ana('one'))
  for (const who of [
    { subject: 'nobody', sid: undefined },
    { subject: undefined, sid: 'none' },
    { subject: undefined, sid: undefined },
  ]) {
    expect(await sessions.endOf('corp', who)).toBeUndefined()
  }
  expect(await sessions.endOf('partner', { subject: 'ana', sid: 'one' })).toBeUndefined()
  expect(await sessions.find(id)).toBeDefined()
  expect(events).toEqual(['started'])
})

test('who signs in again in the millisecond of the sign-out is signed in, even where a clock is behind', async () => {
  const [clock, behind] = [createTurnedClock(), createTurnedClock()]
  clock.turn({ seconds: 30 })
  const store = createMemoryStore(behind)
  const [here, there] = [openSessions({ store, clock }), openSessions({ store, clock: behind })]
  for (let round = 0; round < 3; round++) {
    const before = await there.sessions.begin(ana('one'))
    await here.sessions.endOf('corp', { subject: 'ana', sid: undefined })
    const after = await there.sessions.begin(ana('one'))
    for (const { sessions } of [here, there]) {
      expect(await sessions.find(before)).toBeUndefined()
      expect(await sessions.find(after)).toBeDefined()
    }
  }
})

test('a session that was signed out stays so, for as long as it could have lived', async () => {
  const clock = createTurnedClock()
  const store = createMemoryStore(clock)
  const first = openSessions({ store, clock, idleMinutes: 600 })
  const id = await first.sessions.begin(ana())
  await first.sessions.endOf('corp', { subject: 'ana', sid: undefined })
  for (let hour = 0; hour < 14; hour++) {
    expect(await first.sessions.find(id)).toBeUndefined()
    // A replica that was started since, and remembers nothing.
    expect(await openSessions({ store, clock, idleMinutes: 600 }).sessions.find(id)).toBeUndefined()
    clock.turn({ hours: 1 })
  }
})

test('a sign-out that comes while a session begins ends it', async () => {
  const store = createMemoryStore(createTurnedClock())
  const writing = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const slow: Store = {
    ...store,
    async put(...args) {
      writing.resolve()
      await goOn.promise
      return store.put(...args)
    },
  }
  const [here, there] = [openSessions({ store: slow }), openSessions({ store })]
  const begun = here.sessions.begin(ana())
  await writing.promise
  await there.sessions.endOf('corp', { subject: 'ana', sid: undefined })
  goOn.resolve()
  expect(await here.sessions.find(await begun)).toBeUndefined()
})

test('the person is known as last seen, after their session is over too', async () => {
  const store = createMemoryStore(createTurnedClock())
  const { sessions } = openSessions({ store })
  await sessions.begin(signedIn({ sub: 'ana', sid: 'one', groups: ['before'] }))
  const id = await sessions.begin(signedIn({ sub: 'ana', sid: 'two', groups: ['after'] }))
  await sessions.end(id)
  const { sessions: restarted } = openSessions({ store })
  expect(await restarted.endOf('corp', { subject: 'ana', sid: undefined })).toMatchObject({ groups: ['after'] })
  expect(await restarted.endOf('corp', { subject: 'ana', sid: 'one' })).toMatchObject({ groups: ['before'] })
  expect(await restarted.endOf('corp', { subject: undefined, sid: 'two' })).toMatchObject({ groups: ['after'] })
})

test('a sign-out counts within 5 s where its announcement is lost, for who watches too', async () => {
  const clock = createTurnedClock()
  const store = createMemoryStore(clock)
  const [here, there] = [openSessions({ store, clock }), openSessions({ store: deaf(store), clock })]
  const id = await here.sessions.begin(ana('one'))
  const ended = vi.fn<() => void>()
  there.sessions.watch(id, ended)
  expect(await there.sessions.find(id)).toBeDefined()
  await here.sessions.endOf('corp', { subject: undefined, sid: 'one' })
  expect(await there.sessions.find(id)).toBeDefined()
  // The watch comes round every second and looks a little earlier than a request would.
  clock.turn({ seconds: 4 })
  await vi.waitFor(() => expect(ended).toHaveBeenCalledTimes(1), { timeout: 2000 })
  expect(await there.sessions.find(id)).toBeUndefined()
})
