import { expect, test } from 'vitest'
import { FIREFOX, scopeOf, startTurnable } from './embed-replica.ts'
import { LIFE_SECONDS } from './turnable.ts'

const regions = (id: string, count: number) =>
  Array.from({ length: count }, (_, region) => scopeOf(id, { userAttributes: { region: String(region) } }))

test('a token of before an embed session for another scope ends with the later one', async () => {
  const { sessions, broker, looker } = await startTurnable()
  const [wide, narrow] = [scopeOf('mover'), scopeOf('mover', { permissions: ['access_data'] })]
  const { lookerUserId } = await broker.tokenFor(wide, {})
  await sessions.acquire(narrow, FIREFOX, {})
  await broker.tokenFor(narrow, {})
  expect(looker.tokenCount(lookerUserId)).toBe(2)
  expect(await broker.revoke(narrow, {})).toBe(lookerUserId)
  expect(looker.tokenCount(lookerUserId)).toBe(0)
})

test('so does one that was left alone when the scope changed', async () => {
  const { sessions, broker, looker } = await startTurnable()
  const { lookerUserId } = await broker.tokenFor(scopeOf('idle'), {})
  await sessions.acquire(scopeOf('idle', { permissions: ['access_data'] }), FIREFOX, {})
  expect(await broker.revoke(scopeOf('idle'), {})).toBe(lookerUserId)
  expect(looker.tokenCount(lookerUserId)).toBe(0)
})

test('so does one of before a token and an embed session that were asked for at once', async () => {
  const { sessions, broker, looker, count } = await startTurnable()
  const [wide, narrow] = [scopeOf('eager'), scopeOf('eager', { permissions: ['access_data'] })]
  const { lookerUserId } = await broker.tokenFor(wide, {})
  looker.faults.inject({ kind: 'delay', operation: 'user_for_credential', milliseconds: 200 })
  const asked = count('user_for_credential')
  const acquiring = sessions.acquire(narrow, FIREFOX, {})
  await expect.poll(() => count('user_for_credential')).toBe(asked + 1)
  await Promise.all([acquiring, broker.tokenFor(narrow, {})])
  await broker.revoke(narrow, {})
  expect(looker.tokenCount(lookerUserId)).toBe(0)
})

test('of tokens that came before, four are kept at most', async () => {
  const { broker, looker, count } = await startTurnable()
  const scopes = regions('fickle', 7)
  for (const scope of scopes) await broker.tokenFor(scope, {})
  const { lookerUserId } = await broker.tokenFor(scopes[6] ?? scopeOf('fickle'), {})
  expect(looker.tokenCount(lookerUserId)).toBe(7)
  await broker.revoke(scopeOf('fickle'), {})
  expect([count('logout'), looker.tokenCount(lookerUserId)]).toEqual([5, 2])
})

test('none is kept past its own end', async () => {
  const { broker, count, advance } = await startTurnable()
  await broker.tokenFor(scopeOf('slow'), {})
  advance(LIFE_SECONDS)
  for (const scope of regions('slow', 2)) await broker.tokenFor(scope, {})
  await broker.revoke(scopeOf('slow'), {})
  expect(count('logout')).toBe(2)
})

test('a record of a version that kept none is read as before', async () => {
  const { broker, vault, looker, clock, count } = await startTurnable()
  const place = { kind: 'looker-token', owner: 'corp|steady' }
  const { token, ...rest } = await broker.tokenFor(scopeOf('steady'), {})
  await broker.revoke(scopeOf('steady'), {})
  await vault.write(place, { ...rest, token: token.reveal() }, rest.expiresAt - clock.now())
  looker.calls.reset()
  expect((await broker.tokenFor(scopeOf('steady'), {})).token.reveal()).toBe(token.reveal())
  expect([await broker.revoke(scopeOf('steady'), {}), count('login_user')]).toEqual([rest.lookerUserId, 0])
})
