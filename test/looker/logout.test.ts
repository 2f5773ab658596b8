import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { startRedisServer } from '../support/redis-server.ts'
import { redisStore, type Sidecar } from '../support/world.ts'
import { exchanged, LIFE_SECONDS, lookerToken, startTurnableWorld, type TurnableWorld } from './turnable.ts'

let world: TurnableWorld
beforeAll(async () => {
  world = await startTurnableWorld()
})
afterAll(() => world.close())

const replicas = async (store = redisStore()): Promise<[Sidecar, Sidecar]> =>
  Promise.all([world.sidecar({ store }), world.sidecar({ store })])
const lives = (sub: string): number => world.looker.tokenCount(world.looker.users.find(`corp|${sub}`)?.id)

test('ends the token at Looker, and no replica hands it out any longer', async () => {
  const [here, there] = await replicas()
  const subject = await world.subject('leaver')
  const first = await lookerToken(here, subject)
  expect((await lookerToken(there, subject)).token).toBe(first.token)
  expect(lives('leaver')).toBe(1)

  expect((await lookerToken(here, subject, 'DELETE')).status).toBe(204)
  expect(lives('leaver')).toBe(0)
  // By the message: the clock of this world stands still, so no look into the store is due.
  await vi.waitFor(async () => expect((await lookerToken(there, subject)).token).not.toBe(first.token), {
    timeout: 5000,
  })
  const [a, b] = [await lookerToken(here, subject), await lookerToken(there, subject)]
  expect(a.token).toBe(b.token)
  expect(lives('leaver')).toBe(1)
})

test('is heard of within five seconds where the message is lost', async () => {
  const redis = await startRedisServer()
  onTestFinished(() => redis.stop())
  const [here, there] = await replicas(redisStore(redis.url))
  const subject = await world.subject('unheard')
  const first = await lookerToken(here, subject)
  expect((await lookerToken(there, subject)).token).toBe(first.token)
  // From here on nobody hears anything.
  const admin = new Redis(redis.url)
  onTestFinished(() => admin.disconnect())
  await admin.call('ACL', 'SETUSER', 'default', 'resetchannels')
  await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')

  expect((await lookerToken(here, subject, 'DELETE')).status).toBe(204)
  expect((await lookerToken(there, subject)).token).toBe(first.token)
  world.advance(5)
  expect((await lookerToken(there, subject)).token).not.toBe(first.token)
})

test('ends at Looker the token of before a refresh too', async () => {
  const [here, there] = await replicas()
  const first = await lookerToken(here, await world.subject('refreshed'))
  world.advance(LIFE_SECONDS * 0.81)
  const subject = await world.subject('refreshed')
  await vi.waitFor(async () => expect((await lookerToken(here, subject)).token).not.toBe(first.token), {
    timeout: 5000,
  })
  expect(lives('refreshed')).toBe(2)
  expect((await lookerToken(there, subject, 'DELETE')).status).toBe(204)
  expect(lives('refreshed')).toBe(0)
})

test('ends at Looker the token of before the grant changed too', async () => {
  const [here, there] = await replicas()
  await lookerToken(here, await world.subject('mover', { groups: ['analytics'] }))
  const subject = await world.subject('mover', { groups: ['viewers'] })
  await lookerToken(here, subject)
  expect(lives('mover')).toBe(2)
  expect((await lookerToken(there, subject, 'DELETE')).status).toBe(204)
  expect(lives('mover')).toBe(0)
})

test('voids a token that is being made meanwhile', async () => {
  const [here, there] = await replicas()
  const subject = await world.subject('racer')
  world.looker.faults.inject({ kind: 'delay', operation: 'login_user', milliseconds: 500 })
  const making = exchanged(here, subject)
  await vi.waitFor(() => expect(world.looker.calls.inFlight('login_user')).toBe(1))
  expect((await lookerToken(there, subject, 'DELETE')).status).toBe(204)
  const made = await making
  expect(made.status).toBe(200)
  // The first was ended at Looker, and what was handed out is the one everybody has.
  expect(lives('racer')).toBe(1)
  expect((await exchanged(there, subject)).token).toBe(made.token)
})

test('is no error for a person without a token, or with one that is over at Looker', async () => {
  const [here] = await replicas()
  const subject = await world.subject('nobody')
  expect((await lookerToken(here, subject, 'DELETE')).status).toBe(204)
  await lookerToken(here, subject)
  world.looker.revokeTokens(world.looker.users.find('corp|nobody')?.id)
  expect((await lookerToken(here, subject, 'DELETE')).status).toBe(204)
})

test('forgets the token although Looker cannot be told', async () => {
  const [here, there] = await replicas()
  const subject = await world.subject('unlucky')
  const first = await lookerToken(here, subject)
  world.looker.faults.inject({ kind: 'server-error', operation: 'logout' })
  expect((await lookerToken(here, subject, 'DELETE')).status).toBe(502)
  expect((await lookerToken(here, subject)).token).not.toBe(first.token)
  await vi.waitFor(async () => expect((await lookerToken(there, subject)).token).not.toBe(first.token), {
    timeout: 5000,
  })
})

test('that Looker could not be told of can be tried again, and then nothing lives on', async () => {
  const [here, there] = await replicas()
  const subject = await world.subject('insistent')
  await lookerToken(here, subject)
  world.looker.faults.inject({ kind: 'server-error', operation: 'logout' })
  expect((await lookerToken(here, subject, 'DELETE')).status).toBe(502)
  expect(lives('insistent')).toBe(1)
  expect((await lookerToken(there, subject, 'DELETE')).status).toBe(204)
  expect(lives('insistent')).toBe(0)
})
