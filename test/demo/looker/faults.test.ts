import { expect, test } from 'vitest'
import { login, loginAsAdmin, openLooker, openPerson } from './api-client.ts'

test('a fault meets the operation it is aimed at, as often as it says', async () => {
  const looker = await openLooker()
  const admin = await loginAsAdmin(looker)
  looker.faults.inject({ kind: 'too-many-requests', operation: 'me', times: 2, retryAfterSeconds: 7 })
  looker.faults.inject({ kind: 'server-error', status: 503, operation: 'versions' })
  expect((await admin.request('GET', '/users/1')).status).toBe(200)
  for (const _ of [1, 2]) {
    const answer = await admin.request('GET', '/user')
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '7'])
  }
  expect((await admin.request('GET', '/user')).status).toBe(200)
  expect((await admin.request('GET', '/versions')).status).toBe(503)
  expect(looker.faults.pending).toBe(0)
})

test('faults can be cleared', async () => {
  const looker = await openLooker()
  const admin = await loginAsAdmin(looker)
  looker.faults.inject({ kind: 'unauthorized', times: Infinity })
  expect((await admin.request('GET', '/user')).status).toBe(401)
  looker.faults.clear()
  expect((await admin.request('GET', '/user')).status).toBe(200)
})

test('login can answer any nonsense as the life of a token', async () => {
  const looker = await openLooker()
  const admin = await loginAsAdmin(looker)
  for (const value of [0, -1, 'abc', 1e300, null]) {
    looker.faults.inject({ kind: 'expires-in', operation: 'login', value })
    expect((await login(looker)).json).toMatchObject({ expires_in: value })
  }
  looker.faults.inject({ kind: 'expires-in' })
  expect((await admin.request('POST', '/login/3')).json).not.toHaveProperty('expires_in')
})

test('a connection can be reset, cut in the middle of a body, or left hanging', async () => {
  const looker = await openLooker()
  const admin = await loginAsAdmin(looker)
  for (const fault of [{ kind: 'reset' }, { kind: 'cut' }] as const) {
    looker.faults.inject(fault)
    await expect(admin.request('GET', '/user')).rejects.toThrow()
  }
  looker.faults.inject({ kind: 'hang' })
  const hanging = fetch(`${looker.url}/api/4.0/user`, {
    headers: { authorization: `Bearer ${admin.token}` },
    signal: AbortSignal.timeout(100),
  })
  await expect(hanging).rejects.toThrow()
  await expect.poll(() => looker.calls.inFlight()).toBe(0)
  expect(looker.calls.list.at(-1)).toMatchObject({ operationId: 'me', aborted: true })
  expect((await admin.request('GET', '/user')).status).toBe(200)
})

test('a slow Looker is slow, also when it refuses, and a body can drip', async () => {
  const looker = await openLooker()
  const admin = await loginAsAdmin(looker)
  looker.faults.inject({ kind: 'delay', milliseconds: 60 })
  looker.faults.inject({ kind: 'server-error' })
  const started = performance.now()
  expect((await admin.request('GET', '/user')).status).toBe(500)
  expect(performance.now() - started).toBeGreaterThan(50)
  looker.faults.inject({ kind: 'drip', everyMilliseconds: 5, bytes: 500 })
  expect((await admin.request('GET', '/user')).json).toMatchObject({ id: looker.serviceUserId })
})

test('an answer can be anything', async () => {
  const looker = await openLooker()
  const admin = await loginAsAdmin(looker)
  looker.faults.inject({ kind: 'answer', status: 200, body: '<html>', headers: { 'content-type': 'text/html' } })
  const answer = await admin.request('GET', '/user')
  expect([answer.status, answer.text, answer.headers.get('content-type')]).toEqual([200, '<html>', 'text/html'])
})

test('calls are counted and recorded without their secrets', async () => {
  const looker = await openLooker()
  const admin = await loginAsAdmin(looker)
  const ann = await openPerson(looker, admin, 'ann')
  await ann.request('GET', '/user?fields=id&access_token=hidden', undefined, { 'x-request-id': 'r-1' })
  await ann.request('GET', '/nothing/here')
  expect(looker.calls.count('login')).toBe(1)
  expect(looker.calls.count('login_user')).toBe(1)
  expect(looker.calls.count('unmatched')).toBe(1)
  expect(looker.calls.count()).toBe(5)
  expect(looker.calls.list.at(-2)).toMatchObject({
    operationId: 'me',
    method: 'GET',
    path: '/api/4.0/user',
    query: 'fields=id&access_token=[secret]',
    status: 200,
    userId: ann.id,
    requestId: 'r-1',
    aborted: false,
  })
  const record = JSON.stringify(looker.calls.list)
  for (const secret of [admin.token, ann.token, looker.clientSecret, 'hidden']) expect(record).not.toContain(secret)
  looker.calls.reset()
  expect([looker.calls.count(), looker.calls.list]).toEqual([0, []])
})

test('the most calls at once are known, by operation and for the service', async () => {
  const looker = await openLooker()
  const admin = await loginAsAdmin(looker)
  const ann = await openPerson(looker, admin, 'ann')
  looker.faults.inject({ kind: 'delay', milliseconds: 50, times: Infinity })
  await Promise.all([
    ...Array.from({ length: 5 }, () => ann.request('GET', '/user')),
    ...Array.from({ length: 3 }, () => admin.request('GET', '/versions')),
  ])
  expect(looker.calls.highWater('me')).toBe(5)
  expect(looker.calls.highWater('versions')).toBe(3)
  expect(looker.calls.serviceHighWater()).toBe(3)
  expect(looker.calls.highWater()).toBe(8)
  expect(looker.calls.inFlight()).toBe(0)
})
