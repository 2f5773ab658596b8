import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { startRedisServer } from '../support/redis-server.ts'
import { sessionOf, signIn, whoIs } from '../support/sign-in.ts'
import { createTurnedClock } from '../support/turned-clock.ts'
import { redisStore, startWorld } from '../support/world.ts'
import { createPeople, startReplicas } from './sessions.ts'

test('nothing new is made for whoever has signed out at another replica, though the message was lost', async () => {
  const redis = await startRedisServer()
  onTestFinished(() => redis.stop())
  const world = await startWorld({ issuer: { people: createPeople(1) } })
  onTestFinished(() => world.close())
  // The clock stands: of itself no replica looks again at what it remembers.
  const [here, there] = await startReplicas(world, createTurnedClock(), { store: redisStore(redis.url) })
  const { browser } = await signIn(here, 'person-0')
  const session = sessionOf(browser, here)
  expect(await whoIs(there, session)).toBe('person-0')

  const admin = new Redis(redis.url)
  onTestFinished(() => admin.disconnect())
  await admin.call('ACL', 'SETUSER', 'default', 'resetchannels')
  await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  const headers = { cookie: `sallyport=${session}`, origin: here.url }
  expect((await here.fetch('/sallyport/logout', { method: 'POST', headers })).status).toBe(303)

  expect(await whoIs(there, session)).toBe('person-0')
  expect((await there.fetch('/sallyport/looker/token', { method: 'POST', headers })).status).toBe(401)
  const lookerUser = world.looker.users.find('corp|person-0')?.id ?? ''
  expect(world.looker.tokenCount(lookerUser)).toBe(0)
  expect(await whoIs(there, session)).toBe(401)
})
