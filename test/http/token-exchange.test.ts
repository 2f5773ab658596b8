import { afterAll, beforeAll, expect, test } from 'vitest'
import { json, redisStore, startWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

test.for([
  ['memory', () => ({})],
  ['Redis', redisStore],
] as const)('a person gets the same Looker token twice with %s', async ([, store]) => {
  const sidecar = await world.sidecar({ store: store() })
  const { accessToken } = await world.issuer.signIn('ana')
  const first = await json(sidecar.exchange(accessToken))
  const second = await json(sidecar.exchange(accessToken))
  expect(first).toMatchObject({ token_type: 'Bearer', scope: 'explorer' })
  expect(second['access_token']).toBe(first['access_token'])
})
