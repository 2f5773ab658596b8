import { Agent, request } from 'undici'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { redisUrl, startWorld } from '../support/world.ts'
import { beginSessions, createPeople, storeOn, startReplicas } from './sessions.ts'

const PEOPLE = 1000
/** Calls to Looker at once, by each replica. */
const AT_ONCE = 4

test('a thousand people who open a dashboard at once on two replicas are one acquire each, a few at a time', async () => {
  const people = createPeople(PEOPLE)
  const world = await startWorld({ issuer: { people } })
  onTestFinished(() => world.close())
  const looker = { ...(world.written()['looker'] as object), maxConcurrent: AT_ONCE, timeoutSeconds: 240 }
  const store = storeOn({ url: redisUrl(), commandTimeoutMilliseconds: 10_000 })
  const replicas = await startReplicas(world, systemClock, { store, looker })
  const sessions = await beginSessions(store, people)
  const agent = new Agent({ connections: PEOPLE / 2, headersTimeout: 240_000 })
  onTestFinished(() => agent.destroy())

  const started = performance.now()
  const answers = await Promise.all(
    sessions.map(async (session, index) => {
      const url = `${replicas[index % 2]?.url}/sallyport/looker/embed/session`
      const headers = { cookie: `sallyport=${session}`, 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0' }
      const { statusCode, body } = await request(url, { headers, dispatcher: agent })
      return { statusCode, body: (await body.json()) as Record<string, unknown> }
    }),
  )
  process.stderr.write(`${PEOPLE} acquired in ${((performance.now() - started) / 1000).toFixed(1)} s\n`)

  expect(answers.filter(({ statusCode }) => statusCode !== 200)).toEqual([])
  expect(new Set(answers.map(({ body }) => body['authentication_token'])).size).toBe(PEOPLE)
  const { calls, sessions: begun, users } = world.looker
  expect({
    acquired: calls.count('acquire_embed_cookieless_session'),
    sessions: begun.count(),
    users: new Set(people.map(({ id }) => users.find(`corp|${id}`)?.id)).size,
    logins: calls.count('login'),
  }).toEqual({ acquired: PEOPLE, sessions: PEOPLE, users: PEOPLE, logins: replicas.length })
  expect(calls.serviceHighWater()).toBeLessThanOrEqual(AT_ONCE * replicas.length)
}, 300_000)
