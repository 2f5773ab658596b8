import { expect, onTestFinished, test } from 'vitest'
import { connected, openRedisStore, urlTarget } from '../store/redis-ends.ts'
import { dumpRedis, spellings } from '../support/redis-dump.ts'
import { startRedisServer } from '../support/redis-server.ts'
import { createTurnedClock } from '../support/turned-clock.ts'
import { openSessions, signedIn } from './session-replica.ts'

test('a copy of everything in Redis holds no session id, no subject, no e-mail address and no token', async () => {
  const redis = await startRedisServer()
  onTestFinished(() => redis.stop())
  const store = await connected(openRedisStore(urlTarget(redis.url)))
  onTestFinished(() => store.close())
  const clock = createTurnedClock()
  const person = {
    sub: 'subject-of-canary',
    sid: 'sid-of-canary',
    email: 'canary@people.example',
    groups: ['canaries'],
  }
  const answers = [signedIn(person, { minutes: 10, clock }), signedIn(person, { minutes: 10, clock })]
  const [first, second] = answers
  if (first === undefined || second === undefined) throw new Error('no answers')
  const { sessions } = openSessions({ store, clock, refresh: async () => second })
  const ids = [await sessions.begin(first), await sessions.begin(first)]
  clock.turn({ minutes: 11 })
  expect(await sessions.find(ids[0] ?? '')).toBeDefined()
  await sessions.endOf('corp', { subject: 'subject-of-canary', sid: undefined })
  await sessions.endOf('corp', { subject: 'subject-of-canary', sid: 'sid-of-canary' })

  const { keys, everything } = await dumpRedis(redis.url)
  // Two sessions, who was in them, the sign-outs, and what is left of the lease.
  expect(keys).toBeGreaterThanOrEqual(8)
  const secrets = answers
    .flatMap(({ tokens: { idToken, accessToken, refreshToken } }) => [idToken, accessToken, refreshToken])
    .map(token => token?.reveal() ?? 'no token')
    .concat([...ids, 'subject-of-canary', 'sid-of-canary', 'canary@people.example', 'canaries', 'corp'])
    .concat(['signed-out', 'refreshToken', 'signOutsBefore', 'session'])
  for (const secret of secrets) {
    for (const spelling of spellings(secret)) {
      // Three bytes in base64 could stand anywhere by chance.
      if (spelling.length > 3) expect(everything.includes(spelling), spelling).toBe(false)
    }
  }
  expect(secrets).not.toContain('no token')
})
