import { afterAll, beforeAll, expect, test } from 'vitest'
import { lookerSection, lookerToken, startTurnableWorld, type TurnableWorld } from './turnable.ts'

let world: TurnableWorld
beforeAll(async () => {
  world = await startTurnableWorld()
})
afterAll(() => world.close())

const bySubject = () => world.sidecar(lookerSection(world, { externalUserId: '{subject}' }))

test('reaches exactly the own user of each of many odd ids', async () => {
  const ids = [
    'a b',
    'a%20b',
    'a%2520b',
    'a+b',
    'x/y',
    'x%2fy',
    'x/../y',
    '../y',
    'y',
    '../../sessions?x=1',
    'a?b=c',
    'a#b',
  ].concat(['ünï✓漢字🛰', 'u\u0308', 'ü', 'A', 'a', 'a;b', 'a\\b', "a'b", 'a"b', '%', '%zz', 'corp|ana', '...', 'null'])
  const sidecar = await bySubject()
  const answers = await Promise.all(ids.map(async sub => lookerToken(sidecar, await world.subject(sub))))
  expect(answers.map(({ status }, index) => [ids[index], status])).toEqual(ids.map(id => [id, 200]))
  expect(answers.map(({ body }) => body['looker_user_id'])).toEqual(ids.map(id => world.looker.users.find(id)?.id))
  expect(new Set(answers.map(({ token }) => token)).size).toBe(ids.length)
  expect(world.counts('unmatched')).toEqual({ unmatched: 0 })
})

test.for(['.', '..'])('asks Looker nothing for the id "%s", which no path can hold', async sub => {
  const sidecar = await bySubject()
  world.looker.calls.reset()
  expect((await lookerToken(sidecar, await world.subject(sub))).status).toBe(502)
  expect(world.looker.calls.count()).toBe(0)
  expect(sidecar.logText()).toContain('cannot be asked for')
})

test.for([
  ['of somebody else', { id: '77', is_disabled: false, credentials_embed: [{ external_user_id: 'corp|ANA' }] }],
  ['with an id that is no number', { id: '7/../8', credentials_embed: [{ external_user_id: 'corp|ana' }] }],
  ['without an id', { credentials_embed: [{ external_user_id: 'corp|ana' }] }],
] as const)('does not take the user %s for the person', async ([, user]) => {
  const sidecar = await world.sidecar()
  world.looker.calls.reset()
  const fault = { kind: 'answer', operation: 'user_for_credential', status: 200, body: JSON.stringify(user) } as const
  world.looker.faults.inject(fault)
  expect((await lookerToken(sidecar, await world.subject('ana'))).status).toBe(502)
  expect(world.counts('login_user', 'acquire_embed_cookieless_session')).toEqual({
    login_user: 0,
    acquire_embed_cookieless_session: 0,
  })
})
