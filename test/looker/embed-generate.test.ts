import { inspect } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { startEmulatedLooker } from '../../demo/looker/emulated-looker.ts'
import { systemClock } from '../../src/core/clock.ts'
import { Refusal } from '../../src/core/failure.ts'
import { createMemoryStore } from '../../src/store/memory-store.ts'
import { CHROME, FIREFOX, GENERATE, left, openReplica, pageTokens, scopeOf, startTurnable } from './embed-replica.ts'

test('gives new tokens for old ones, with what is left of the session', async () => {
  const { sessions, clock, advance, looker } = await startTurnable()
  const scope = scopeOf('ana')
  let held: Parameters<typeof pageTokens>[0] = await sessions.acquire(scope, FIREFOX, {})
  const ends: number[] = []
  for (let time = 480; time <= 1920; time += 480) {
    advance(480)
    const answer = await sessions.generate(scope, pageTokens(held), FIREFOX, {})
    if (answer === 'over') throw new Error('the session is not over')
    expect(answer.api.token.reveal()).not.toBe(held.api.token.reveal())
    expect([left(clock, answer.api.expiresAt), left(clock, answer.navigation.expiresAt)]).toEqual([600, 600])
    ends.push(left(clock, answer.sessionExpiresAt))
    held = answer
  }
  expect(ends).toEqual([3120, 2640, 2160, 1680])
  expect(looker.calls.list.find(({ operationId }) => operationId === GENERATE)?.userAgent).toBe(FIREFOX)
})

test('tells a page that its session is over by the answer it understands', async () => {
  const { sessions, advance, count } = await startTurnable()
  const scope = scopeOf('late')
  const held = await sessions.acquire(scope, FIREFOX, {})
  const strange = pageTokens(await sessions.acquire(scopeOf('somebody'), FIREFOX, {}))
  expect(await sessions.generate(scope, strange, FIREFOX, {})).toBe('over')
  expect(await sessions.generate(scopeOf('nobody'), pageTokens(held), FIREFOX, {})).toBe('over')
  expect(await sessions.generate(scope, pageTokens(held), CHROME, {})).toBe('over')
  expect(count(GENERATE)).toBe(1)
  advance(3600)
  expect(await sessions.generate(scope, pageTokens(held), FIREFOX, {})).toBe('over')
})

test('a session that Looker knows to be over before we do is over', async () => {
  const looker = await startEmulatedLooker()
  onTestFinished(() => looker.close())
  const { sessions } = openReplica(looker)
  const held = await sessions.acquire(scopeOf('early'), FIREFOX, {})
  looker.clock.advance(3600)
  expect(await sessions.generate(scopeOf('early'), pageTokens(held), FIREFOX, {})).toBe('over')
  expect(looker.calls.count(GENERATE)).toBeGreaterThan(0)
})

test.each([
  { kind: 'server-error', times: 2 },
  { kind: 'reset', times: 2 },
  { kind: 'too-many-requests', retryAfterSeconds: 1, times: 2 },
  { kind: 'cut', times: 2 },
] as const)('gets over what passes: %j', async fault => {
  const looker = await startEmulatedLooker()
  onTestFinished(() => looker.close())
  const { sessions, reports } = openReplica(looker)
  const held = await sessions.acquire(scopeOf('steady'), FIREFOX, {})
  looker.faults.inject({ ...fault, operation: GENERATE })
  expect(await sessions.generate(scopeOf('steady'), pageTokens(held), FIREFOX, {})).not.toBe('over')
  expect([looker.calls.count(GENERATE), reports]).toEqual([3, []])
})

test('gets over a call that hangs, well within the deadline', async () => {
  const looker = await startEmulatedLooker()
  onTestFinished(() => looker.close())
  const { sessions } = openReplica(looker, { waitSeconds: 3 })
  const held = await sessions.acquire(scopeOf('hung'), FIREFOX, {})
  looker.faults.inject({ kind: 'hang', operation: GENERATE })
  expect(await sessions.generate(scopeOf('hung'), pageTokens(held), FIREFOX, {})).not.toBe('over')
  expect(looker.calls.count(GENERATE)).toBe(2)
})

test('a page is let begin anew where Looker stays away, and finds its session again', async () => {
  const looker = await startEmulatedLooker()
  onTestFinished(() => looker.close())
  const { sessions, reports } = openReplica(looker, { waitSeconds: 1 })
  const held = await sessions.acquire(scopeOf('patient'), FIREFOX, {})
  looker.faults.inject({ kind: 'server-error', status: 503, operation: GENERATE, times: Number.POSITIVE_INFINITY })
  expect(await sessions.generate(scopeOf('patient'), pageTokens(held), FIREFOX, {})).toBe('over')
  expect(reports).toEqual(['renewal of the tokens of an embed session'])
  looker.faults.clear()
  const again = await sessions.acquire(scopeOf('patient'), FIREFOX, {})
  expect(again.sessionExpiresAt).toBe(held.sessionExpiresAt)
})

test('a store that is away for a moment is waited for', async () => {
  const looker = await startEmulatedLooker()
  onTestFinished(() => looker.close())
  const store = createMemoryStore(systemClock)
  let failures = 2
  const { sessions } = openReplica(looker, {
    store: {
      ...store,
      get: key => (failures-- > 0 ? Promise.reject(new Refusal({ kind: 'store-unavailable' })) : store.get(key)),
    },
  })
  failures = 0
  const held = await sessions.acquire(scopeOf('redis'), FIREFOX, {})
  failures = 2
  expect(await sessions.generate(scopeOf('redis'), pageTokens(held), FIREFOX, {})).not.toBe('over')
})

test('Looker refuses a User-Agent that is not the browser’s, which is why ours is never sent', async () => {
  const { client, sessions, looker } = await startTurnable()
  const body = { external_user_id: 'corp|plain', permissions: ['access_data'], models: ['thelook'] }
  const session = await client.call('a', (sdk, options) => sdk.acquire_embed_cookieless_session(body, options), {
    userAgent: FIREFOX,
  })
  const tokens = {
    session_reference_token: session.session_reference_token ?? '',
    api_token: session.api_token ?? '',
    navigation_token: session.navigation_token ?? '',
  }
  await expect(
    client.call('g', (sdk, options) => sdk.generate_tokens_for_cookieless_session(tokens, options)),
  ).rejects.toMatchObject({ status: 400, message: expect.stringContaining('User-Agent') })
  const held = await sessions.acquire(scopeOf('proper'), FIREFOX, {})
  expect(await sessions.generate(scopeOf('proper'), pageTokens(held), FIREFOX, {})).not.toBe('over')
  const agents = looker.calls.list.filter(({ operationId }) => operationId === GENERATE).map(call => call.userAgent)
  expect(agents).toEqual([undefined, FIREFOX])
})

test('what no other try would mend is told as a mistake to see', async () => {
  const { sessions, looker, count } = await startTurnable()
  const held = await sessions.acquire(scopeOf('odd'), FIREFOX, {})
  looker.faults.inject({ kind: 'answer', status: 403, body: '{"message":"Forbidden"}', operation: GENERATE })
  await expect(sessions.generate(scopeOf('odd'), pageTokens(held), FIREFOX, {})).rejects.toMatchObject({
    failure: { kind: 'looker-refused', operation: GENERATE, status: 403 },
  })
  expect(count(GENERATE)).toBe(1)
})

test('what Looker says of the tokens is not repeated, because it may quote them', async () => {
  const looker = await startEmulatedLooker()
  onTestFinished(() => looker.close())
  const { sessions, reported } = openReplica(looker, { waitSeconds: 1 })
  const held = await sessions.acquire(scopeOf('quoted'), FIREFOX, {})
  const quoted = held.api.token.reveal()
  const body = JSON.stringify({ message: `what is ${quoted}` })
  looker.faults.inject({ kind: 'answer', status: 403, body, operation: GENERATE })
  const refused: unknown = await sessions
    .generate(scopeOf('quoted'), pageTokens(held), FIREFOX, {})
    .catch((error: unknown) => error)
  expect(refused).toMatchObject({ failure: { kind: 'looker-refused', operation: GENERATE, status: 403 } })
  looker.faults.inject({ kind: 'answer', status: 503, body, operation: GENERATE, times: Number.POSITIVE_INFINITY })
  expect(await sessions.generate(scopeOf('quoted'), pageTokens(held), FIREFOX, {})).toBe('over')
  expect([refused, ...reported]).toMatchObject([
    { cause: { message: 'Looker answered 403' } },
    { cause: { message: 'Looker answered 503' }, failure: { kind: 'looker-unavailable', reason: 'server-error' } },
  ])
  expect(inspect([refused, reported], { depth: null })).not.toContain(quoted)
})
