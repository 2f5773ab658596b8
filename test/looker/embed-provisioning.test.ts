import { expect, test } from 'vitest'
import { ACQUIRE, FIREFOX, left, pageTokens, scopeOf, startTurnable } from './embed-replica.ts'

test('a token for a scope that a session has applied leaves the session alone', async () => {
  const { sessions, broker, looker, count } = await startTurnable()
  const held = await sessions.acquire(scopeOf('ana'), FIREFOX, {})
  const token = await broker.tokenFor(scopeOf('ana'), {})
  expect(token.lookerUserId).toBe(held.lookerUserId)
  expect([count(ACQUIRE), looker.sessions.has(held.lookerUserId)]).toEqual([1, true])
  expect(await sessions.generate(scopeOf('ana'), pageTokens(held), FIREFOX, {})).not.toBe('over')
})

test.each([
  ['token', 'user_for_credential', 2],
  ['session', 'user_for_credential', 1],
  ['session', ACQUIRE, 1],
] as const)(
  'a token and a session at once: the %s, held up in %s, does not end what the other began',
  async (...given) => {
    const [first, operation, acquires] = given
    const { sessions, broker, looker, count } = await startTurnable()
    const scope = scopeOf('eager')
    looker.faults.inject({ kind: 'delay', operation, milliseconds: 200 })
    const begin = { token: () => broker.tokenFor(scope, {}), session: () => sessions.acquire(scope, FIREFOX, {}) }
    const early = begin[first]()
    await expect.poll(() => count(operation)).toBe(1)
    const [held] = await Promise.all([begin.session(), begin.token(), early])
    expect(looker.sessions.has(held.lookerUserId)).toBe(true)
    expect(await sessions.generate(scope, pageTokens(held), FIREFOX, {})).not.toBe('over')
    // Another page may have joined since.
    expect(count(ACQUIRE) - (first === 'session' ? 1 : 0)).toBe(acquires)
  },
)

test('a session after a token for another scope begins anew, with its own', async () => {
  const { sessions, broker, looker, clock, advance } = await startTurnable()
  const wide = scopeOf('mover')
  const narrow = scopeOf('mover', { permissions: ['access_data'] })
  await sessions.acquire(wide, FIREFOX, {})
  await broker.tokenFor(narrow, {})
  expect(looker.users.find('corp|mover')?.permissions).toEqual(['access_data'])
  // A page may still have a bearer of before.
  advance(10)
  expect(left(clock, (await sessions.acquire(wide, FIREFOX, {})).sessionExpiresAt)).toBe(3600)
  expect(looker.users.find('corp|mover')?.permissions).toContain('explore')
  // The token for the narrow scope would have the rights of the wide one by now.
  await broker.tokenFor(narrow, {})
  expect(looker.users.find('corp|mover')?.permissions).toEqual(['access_data'])
})

test('a signed URL that was held back does not bring an old scope back for good', async () => {
  const { urls, broker, looker, count, advance } = await startTurnable()
  const wide = scopeOf('demoted')
  const narrow = scopeOf('demoted', { permissions: ['access_data'] })
  const { lookerUserId } = await urls({ secret: 'x' }).sign(wide, '/embed/dashboards/1', {})
  await broker.tokenFor(narrow, {})
  expect([count(ACQUIRE), looker.users.get(lookerUserId)?.permissions]).toEqual([2, ['access_data']])
  // Opened at the last moment it would have had, the URL cannot outlast this.
  advance(3600)
  await broker.tokenFor(narrow, {})
  expect(count(ACQUIRE)).toBe(3)
  advance(3600)
  await broker.tokenFor(narrow, {})
  expect(count(ACQUIRE)).toBe(3)
})
