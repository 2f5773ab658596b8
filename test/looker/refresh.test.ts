import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { redisStore, type Sidecar } from '../support/world.ts'
import { exchanged, type Handed, LIFE_SECONDS, startTurnableWorld, type TurnableWorld } from './turnable.ts'

let world: TurnableWorld
beforeAll(async () => {
  world = await startTurnableWorld()
})
afterAll(() => world.close())

const replicas = (): Promise<Sidecar[]> => {
  const store = redisStore()
  return Promise.all([world.sidecar({ store }), world.sidecar({ store })])
}
/** What each replica hands this person now. */
const ask = async (sidecars: Sidecar[], id: string): Promise<Handed[]> => {
  const subject = await world.subject(id)
  return Promise.all(sidecars.map(sidecar => exchanged(sidecar, subject)))
}
const tokensOf = (answers: Handed[]): Set<unknown> => new Set(answers.map(({ token }) => token))

test('leaves a token alone until three quarters of its life are over', async () => {
  const sidecars = await replicas()
  const first = tokensOf(await ask(sidecars, 'early'))
  expect(first.size).toBe(1)
  world.looker.calls.reset()
  world.advance(LIFE_SECONDS * 0.74)
  expect(tokensOf(await ask(sidecars, 'early'))).toEqual(first)
  expect(world.looker.calls.count()).toBe(0)
})

test('is renewed by one replica for all when a fifth of its life is left; the old one is handed out meanwhile', async () => {
  const sidecars = await replicas()
  const first = tokensOf(await ask(sidecars, 'ahead'))
  world.looker.calls.reset()
  world.looker.faults.inject({ kind: 'delay', operation: 'login_user', milliseconds: 400 })
  world.advance(LIFE_SECONDS * 0.81)
  for (let round = 0; round < 5; round++) {
    const meanwhile = await ask(sidecars, 'ahead')
    expect(tokensOf(meanwhile)).toEqual(first)
    expect(meanwhile.map(({ expiresIn }) => expiresIn)).toEqual([LIFE_SECONDS * 0.19 - 10, LIFE_SECONDS * 0.19 - 10])
  }
  await vi.waitFor(
    async () => {
      const now = await ask(sidecars, 'ahead')
      expect(tokensOf(now).size).toBe(1)
      expect(tokensOf(now)).not.toEqual(first)
      expect(now.map(({ expiresIn }) => expiresIn)).toEqual([LIFE_SECONDS - 10, LIFE_SECONDS - 10])
    },
    { timeout: 10_000, interval: 50 },
  )
  expect(world.counts('login_user', 'acquire_embed_cookieless_session')).toEqual({
    login_user: 1,
    acquire_embed_cookieless_session: 0,
  })
})

test('goes on with the old token while Looker is away, to its last useful second', async () => {
  const [sidecar] = await replicas()
  if (sidecar === undefined) throw new Error('no replica')
  const [first] = await ask([sidecar], 'patient')
  world.looker.faults.inject({ kind: 'server-error', times: Number.POSITIVE_INFINITY })
  onTestFinished(() => world.looker.faults.clear())
  world.advance(LIFE_SECONDS * 0.81)
  for (let round = 0; round < 3; round++) {
    expect((await ask([sidecar], 'patient'))[0]).toMatchObject({ status: 200, token: first?.token })
    world.advance(6)
  }
  await vi.waitFor(() => expect(sidecar.logText()).toContain('refresh of a Looker token failed'))
  world.advance(LIFE_SECONDS * 0.19)
  expect((await ask([sidecar], 'patient'))[0]?.status).toBe(503)
})

test('takes what another replica renewed although nobody told it', async () => {
  const [here, there] = await replicas()
  if (here === undefined || there === undefined) throw new Error('no replicas')
  const first = tokensOf(await ask([here, there], 'deaf'))
  world.advance(LIFE_SECONDS * 0.81)
  await ask([here], 'deaf')
  await vi.waitFor(async () => expect(tokensOf(await ask([here], 'deaf'))).not.toEqual(first))
  world.looker.calls.reset()
  // Longer than a token in memory is believed without a look into the store.
  world.advance(6)
  expect(tokensOf(await ask([there], 'deaf'))).toEqual(tokensOf(await ask([here], 'deaf')))
  expect(world.looker.calls.count()).toBe(0)
})
