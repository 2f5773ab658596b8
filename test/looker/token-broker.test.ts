import { afterAll, beforeAll, expect, test } from 'vitest'
import { GRANTS } from '../support/world.ts'
import { exchanged, LIFE_SECONDS, lookerToken, startTurnableWorld, type TurnableWorld } from './turnable.ts'

let world: TurnableWorld
beforeAll(async () => {
  world = await startTurnableWorld()
})
afterAll(() => world.close())

test('gives the same token to fifty tabs at once, and to both endpoints, for one login', async () => {
  const sidecar = await world.sidecar()
  const subject = await world.subject('tabs')
  world.looker.calls.reset()
  const tabs = await Promise.all(Array.from({ length: 50 }, () => exchanged(sidecar, subject)))
  const [other, next] = [await lookerToken(sidecar, subject), await exchanged(sidecar, await world.subject('tabs'))]
  expect(new Set([...tabs, other, next].map(({ status }) => status))).toEqual(new Set([200]))
  expect(new Set([...tabs, other, next].map(({ token }) => token)).size).toBe(1)
  expect(world.counts('login', 'login_user', 'acquire_embed_cookieless_session')).toEqual({
    login: 1,
    login_user: 1,
    acquire_embed_cookieless_session: 1,
  })
})

test('gives each person a token of their own, which Looker knows as theirs', async () => {
  const sidecar = await world.sidecar()
  const people = ['one', 'two', 'three']
  const answers = await Promise.all(people.map(async id => lookerToken(sidecar, await world.subject(id))))
  expect(new Set(answers.map(({ token }) => token)).size).toBe(3)
  for (const [index, { token, body }] of answers.entries()) {
    const me = await fetch(`${world.looker.url}/api/4.0/user`, {
      headers: { authorization: `Bearer ${String(token)}` },
    })
    expect(((await me.json()) as { id: string }).id).toBe(body['looker_user_id'])
    expect(world.looker.users.find(`corp|${people[index]}`)?.id).toBe(body['looker_user_id'])
  }
})

test('makes a new token when the old one is over, without provisioning the person again', async () => {
  const sidecar = await world.sidecar()
  const first = await exchanged(sidecar, await world.subject('long'))
  world.looker.calls.reset()
  world.advance(LIFE_SECONDS)
  const second = await exchanged(sidecar, await world.subject('long'))
  expect(second.status).toBe(200)
  expect(second.token).not.toBe(first.token)
  expect(world.counts('login_user', 'acquire_embed_cookieless_session', 'user_for_credential')).toEqual({
    login_user: 1,
    acquire_embed_cookieless_session: 0,
    user_for_credential: 0,
  })
})

test('gives a new token at once when the grant has changed, and Looker knows the new permissions', async () => {
  const sidecar = await world.sidecar()
  const before = await exchanged(sidecar, await world.subject('mover', { groups: ['analytics'] }))
  expect(world.looker.users.find('corp|mover')?.permissions).toContain('explore')
  const after = await exchanged(sidecar, await world.subject('mover', { groups: ['viewers'] }))
  expect([before.body['scope'], after.body['scope']]).toEqual(['explorer', 'viewer'])
  expect(after.token).not.toBe(before.token)
  expect(world.looker.users.find('corp|mover')?.permissions).not.toContain('explore')
  const again = await exchanged(sidecar, await world.subject('mover', { groups: ['viewers'] }))
  expect(again.token).toBe(after.token)
})

test('gives a new token at once when an attribute of the person has changed', async () => {
  const grants = [{ ...GRANTS[0], userAttributes: { region: '{claim:region}' } }]
  const sidecar = await world.sidecar({ grants })
  const before = await exchanged(sidecar, await world.subject('traveller', { region: 'EMEA' }))
  const after = await exchanged(sidecar, await world.subject('traveller', { region: 'AMER' }))
  expect(after.token).not.toBe(before.token)
  expect(world.looker.users.find('corp|traveller')?.attributes['region']).toBe('AMER')
})

test('says how long the token is still good for: less by the time that passed, less a margin', async () => {
  const sidecar = await world.sidecar()
  const first = await exchanged(sidecar, await world.subject('timed'))
  expect(first.expiresIn).toBe(LIFE_SECONDS - 10)
  world.advance(1000)
  const second = await exchanged(sidecar, await world.subject('timed'))
  expect(second).toMatchObject({ token: first.token, expiresIn: LIFE_SECONDS - 10 - 1000 })
  const brief = await exchanged(sidecar, await world.subject('timed', { exp: await inSeconds(120) }))
  expect(brief).toMatchObject({ token: first.token, expiresIn: 120 })
})

test('hands no token out in its last seconds', async () => {
  const sidecar = await world.sidecar()
  const first = await exchanged(sidecar, await world.subject('late'))
  world.advance(LIFE_SECONDS - 10)
  const second = await exchanged(sidecar, await world.subject('late'))
  expect(second.token).not.toBe(first.token)
  expect(second.expiresIn).toBe(LIFE_SECONDS - 10)
})

/** Seconds since the epoch, by the clock of this world. */
async function inSeconds(seconds: number): Promise<number> {
  const payload = (await world.subject('anybody')).split('.')[1] ?? ''
  const { iat } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { iat: number }
  return iat + seconds
}
