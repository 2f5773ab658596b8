import { expect, onTestFinished, test } from 'vitest'
import { json, redisStore, startWorld } from '../support/world.ts'
import { signForMany } from './crowd.ts'

const PEOPLE = 50
const EXCHANGES = 2000

test('two thousand exchanges at once on two replicas are one login for each of fifty people', async () => {
  const world = await startWorld()
  onTestFinished(() => world.close())
  const store = redisStore()
  const replicas = await Promise.all([world.sidecar({ store }), world.sidecar({ store })])
  const subjects = await signForMany(world.issuer, PEOPLE)

  const answers = await Promise.all(
    Array.from({ length: EXCHANGES }, async (_, index) => {
      const person = index % PEOPLE
      const response = await replicas[Math.floor(index / PEOPLE) % 2]?.exchange(subjects[person] ?? '')
      return { person, status: response?.status, body: response && (await json(response)) }
    }),
  )
  expect(answers.filter(({ status }) => status !== 200)).toEqual([])
  const tokens = Array.from(
    { length: PEOPLE },
    (_, person) =>
      new Set(answers.filter(answer => answer.person === person).map(({ body }) => body?.['access_token'])),
  )
  expect(tokens.map(({ size }) => size)).toEqual(tokens.map(() => 1))
  expect(new Set(answers.map(({ body }) => body?.['access_token'])).size).toBe(PEOPLE)
  expect(world.looker.calls.count('login_user')).toBe(PEOPLE)
  expect(world.looker.calls.count('acquire_embed_cookieless_session')).toBe(PEOPLE)
  expect(world.looker.calls.count('login')).toBeLessThanOrEqual(2)
})
