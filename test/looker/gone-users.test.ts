import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { redisStore } from '../support/world.ts'
import { exchanged, LIFE_SECONDS, lookerToken, startTurnableWorld, type TurnableWorld } from './turnable.ts'

let world: TurnableWorld
beforeAll(async () => {
  world = await startTurnableWorld()
})
afterAll(() => world.close())

const userId = (sub: string): string => world.looker.users.find(`corp|${sub}`)?.id ?? ''
const stores = [
  ['memory', () => ({})],
  ['Redis', redisStore],
] as const

test.for(stores)(
  'refuses a disabled person without asking Looker again, and lets them in after, with %s',
  async ([name, store]) => {
    const sidecar = await world.sidecar({ store: store() })
    const sub = `disabled-${name}`
    const first = await lookerToken(sidecar, await world.subject(sub))
    expect(first.status).toBe(200)
    world.looker.users.disable(userId(sub))

    // Found out when the token is to be renewed; what was cached is purged.
    world.advance(LIFE_SECONDS * 0.81)
    const subject = await world.subject(sub)
    await vi.waitFor(async () => expect((await lookerToken(sidecar, subject)).status).toBe(403), { timeout: 5000 })
    world.looker.calls.reset()
    for (let round = 0; round < 5; round++) {
      const refused = await lookerToken(sidecar, subject)
      expect(refused).toMatchObject({ status: 403, body: { type: 'urn:sallyport:problem:forbidden' } })
      expect(await exchanged(sidecar, subject)).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
      world.advance(10)
    }
    expect(world.looker.calls.count()).toBe(0)

    world.looker.users.enable(userId(sub))
    world.advance(11)
    const back = await lookerToken(sidecar, await world.subject(sub))
    expect(back.status).toBe(200)
    expect(back.token).not.toBe(first.token)
  },
)

test('never wakes a person who was disabled before the first sign-in', async () => {
  const before = await world.sidecar()
  await lookerToken(before, await world.subject('sleeper'))
  world.looker.users.disable(userId('sleeper'))
  const sidecar = await world.sidecar()
  world.looker.calls.reset()
  expect((await lookerToken(sidecar, await world.subject('sleeper'))).status).toBe(403)
  expect(world.counts('acquire_embed_cookieless_session', 'login_user')).toEqual({
    acquire_embed_cookieless_session: 0,
    login_user: 0,
  })
  expect(world.looker.users.find('corp|sleeper')?.isDisabled).toBe(true)
})

test.for(stores)('provisions a person again who was deleted at Looker, with %s', async ([name, store]) => {
  const sidecar = await world.sidecar({ store: store() })
  const sub = `deleted-${name}`
  const first = await lookerToken(sidecar, await world.subject(sub))
  world.looker.users.delete(userId(sub))
  world.looker.calls.reset()
  world.advance(LIFE_SECONDS)
  const second = await lookerToken(sidecar, await world.subject(sub))
  expect(second.status).toBe(200)
  expect(second.body['looker_user_id']).not.toBe(first.body['looker_user_id'])
  expect(world.looker.users.get(String(second.body['looker_user_id']))?.permissions).toContain('explore')
  expect(world.counts('acquire_embed_cookieless_session')).toEqual({ acquire_embed_cookieless_session: 1 })
})
