import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { ACQUIRE, CHROME, DELETE, FIREFOX, left, pageTokens, scopeOf, startTurnable } from './embed-replica.ts'

test('begins a session with exactly the scope, as the browser that asks', async () => {
  const { sessions, looker, clock } = await startTurnable()
  const scope = scopeOf('ana', { userAttributes: { region: 'EMEA' }, groupIds: ['8'], firstName: 'Ana' })
  const acquired = await sessions.acquire(scope, FIREFOX, { requestId: 'request-1' })
  expect(
    [acquired.authentication, acquired.navigation, acquired.api].map(token => left(clock, token.expiresAt)),
  ).toEqual([30, 600, 600])
  expect(left(clock, acquired.sessionExpiresAt)).toBe(3600)
  expect(looker.users.find('corp|ana')).toMatchObject({
    id: acquired.lookerUserId,
    firstName: 'Ana',
    permissions: scope.permissions,
    models: ['thelook'],
    groupIds: ['1', '8'],
    attributes: { region: 'EMEA' },
  })
  expect(looker.calls.list.find(({ operationId }) => operationId === ACQUIRE)).toMatchObject({
    userAgent: FIREFOX,
    requestId: 'request-1',
  })
})

test('joins the live session: an authentication token of its own, and the end that the session has', async () => {
  const { sessions, count, clock, advance } = await startTurnable()
  const first = await sessions.acquire(scopeOf('tabs'), FIREFOX, {})
  advance(100)
  const second = await sessions.acquire(scopeOf('tabs'), FIREFOX, {})
  expect(second.authentication.token.reveal()).not.toBe(first.authentication.token.reveal())
  expect(second.lookerUserId).toBe(first.lookerUserId)
  expect([first, second].map(({ sessionExpiresAt }) => left(clock, sessionExpiresAt))).toEqual([3500, 3500])
  expect(left(clock, second.api.expiresAt)).toBe(600)
  expect([count(ACQUIRE), count(DELETE), count('user_for_credential')]).toEqual([2, 0, 2])
})

test('what is left of a session falls by the time that has passed, to the second', async () => {
  const { sessions, clock, advance } = await startTurnable()
  const seen: number[] = []
  for (const pause of [0, 1, 299, 1700]) {
    advance(pause)
    seen.push(left(clock, (await sessions.acquire(scopeOf('trap'), FIREFOX, {})).sessionExpiresAt))
  }
  expect(seen).toEqual([3600, 3599, 3300, 1600])
})

test('begins anew where the scope has changed, after the old session was ended at Looker', async () => {
  const { sessions, looker, count } = await startTurnable()
  const before = await sessions.acquire(scopeOf('mover'), FIREFOX, {})
  const narrow = scopeOf('mover', { permissions: ['access_data', 'see_looks'] })
  const after = await sessions.acquire(narrow, FIREFOX, {})
  expect(looker.users.find('corp|mover')?.permissions).toEqual(['access_data', 'see_looks'])
  const order = looker.calls.list.map(({ operationId }) => operationId).filter(id => [ACQUIRE, DELETE].includes(id))
  expect(order).toEqual([ACQUIRE, DELETE, ACQUIRE])
  expect(await sessions.generate(narrow, pageTokens(before), FIREFOX, {})).toBe('over')
  expect(await sessions.generate(narrow, pageTokens(after), FIREFOX, {})).not.toBe('over')
  await sessions.acquire(narrow, FIREFOX, {})
  expect([count(ACQUIRE), looker.sessions.count()]).toEqual([3, 1])
})

test('begins anew where a session is over, and where so little is left that a page would hardly load', async () => {
  const { sessions, clock, advance } = await startTurnable()
  for (const pause of [0, 3600, 3600 - 60]) {
    advance(pause)
    const { sessionExpiresAt } = await sessions.acquire(scopeOf('later'), FIREFOX, {})
    expect(left(clock, sessionExpiresAt)).toBe(3600)
  }
})

test('begins anew for another browser, which could not load an iframe of the session', async () => {
  const { sessions, looker, count } = await startTurnable()
  const firefox = await sessions.acquire(scopeOf('two'), FIREFOX, {})
  const chrome = await sessions.acquire(scopeOf('two'), CHROME, {})
  expect([count(ACQUIRE), count(DELETE), looker.sessions.count()]).toEqual([2, 1, 1])
  expect(await sessions.generate(scopeOf('two'), pageTokens(firefox), FIREFOX, {})).toBe('over')
  expect(await sessions.generate(scopeOf('two'), pageTokens(chrome), CHROME, {})).not.toBe('over')
})

test('begins anew where Looker has lost the session, and does not take what Looker began by itself', async () => {
  const { sessions, looker, clock } = await startTurnable()
  const { lookerUserId } = await sessions.acquire(scopeOf('lost'), FIREFOX, {})
  looker.users.disable(lookerUserId)
  looker.users.enable(lookerUserId)
  expect(looker.sessions.count()).toBe(0)
  const again = await sessions.acquire(scopeOf('lost'), FIREFOX, {})
  expect(left(clock, again.sessionExpiresAt)).toBe(3600)
  expect(await sessions.generate(scopeOf('lost'), pageTokens(again), FIREFOX, {})).not.toBe('over')
  expect(looker.sessions.count()).toBe(1)
})

test('refuses whoever is disabled at Looker, and does not ask about them again for a minute', async () => {
  const { sessions, broker, looker, count } = await startTurnable()
  const { lookerUserId } = await sessions.acquire(scopeOf('fired'), FIREFOX, {})
  looker.users.disable(lookerUserId)
  const disabled = { failure: { kind: 'looker-user-disabled', lookerUserId } }
  await expect(sessions.acquire(scopeOf('fired'), FIREFOX, {})).rejects.toMatchObject(disabled)
  const asked = count(ACQUIRE)
  await expect(sessions.acquire(scopeOf('fired'), FIREFOX, {})).rejects.toMatchObject(disabled)
  await expect(broker.tokenFor(scopeOf('fired'), {})).rejects.toMatchObject(disabled)
  expect([count(ACQUIRE), looker.sessions.count()]).toEqual([asked, 0])
})

test('ending a session ends it at Looker, and a page that still has tokens of it is told so', async () => {
  const { sessions, looker, count } = await startTurnable()
  const held = await sessions.acquire(scopeOf('leaver'), FIREFOX, {})
  await sessions.end('corp|leaver', {})
  expect([looker.sessions.count(), count(DELETE)]).toEqual([0, 1])
  expect(await sessions.generate(scopeOf('leaver'), pageTokens(held), FIREFOX, {})).toBe('over')
  await sessions.end('corp|leaver', {})
  await sessions.end('corp|nobody', {})
  expect(count(DELETE)).toBe(1)
})

test('a session that is ended while it is being begun does not live', async () => {
  const { sessions, looker, count } = await startTurnable()
  looker.faults.inject({ kind: 'delay', operation: ACQUIRE, milliseconds: 300 })
  const acquiring = sessions.acquire(scopeOf('hasty'), FIREFOX, {})
  await expect.poll(() => count(ACQUIRE)).toBe(1)
  await sessions.end('corp|hasty', {})
  await expect(acquiring).rejects.toMatchObject({ failure: { kind: 'overloaded' } })
  expect(looker.sessions.count()).toBe(0)
})

test.each([
  { kind: 'answer', status: 400, body: '{"message":"quoted words"}' },
  { kind: 'answer', status: 503, body: '{"message":"quoted words"}' },
  { kind: 'reset' },
] as const)('a session that cannot be ended at Looker does not keep the person from the next: %j', async fault => {
  const { sessions, looker, reports, reported } = await startTurnable()
  await sessions.acquire(scopeOf('kept'), FIREFOX, {})
  looker.faults.inject({ ...fault, operation: DELETE })
  const next = await sessions.acquire(scopeOf('kept'), CHROME, {})
  expect(await sessions.generate(scopeOf('kept'), pageTokens(next), CHROME, {})).not.toBe('over')
  expect(looker.sessions.count()).toBe(1)
  expect(reports).toEqual(['end of an old embed session'])
  expect(inspect(reported, { depth: null })).not.toContain('quoted words')
})

test('a sign-out does not pass over that the session could not be ended at Looker', async () => {
  const { sessions, looker } = await startTurnable()
  await sessions.acquire(scopeOf('strict'), FIREFOX, {})
  looker.faults.inject({ kind: 'answer', status: 400, body: '{"message":"quoted words"}', operation: DELETE })
  const refused: unknown = await sessions.end('corp|strict', {}).catch((error: unknown) => error)
  expect(refused).toMatchObject({ failure: { kind: 'looker-refused', operation: DELETE, status: 400 } })
  expect(inspect(refused, { depth: null })).not.toContain('quoted words')
})
