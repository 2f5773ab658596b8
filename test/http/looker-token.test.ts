import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectProblem } from '../support/problem.ts'
import { json, type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.sidecar()
})
afterAll(() => world.close())

const as = async (sub: string, claims = {}): Promise<Record<string, string>> => ({
  authorization: `Bearer ${await world.issuer.sign({ sub, ...claims })}`,
})
const token = (headers: Record<string, string>, method = 'POST', through = sidecar): Promise<Response> =>
  through.fetch('/sallyport/looker/token', { method, headers })
const statusAtLooker = async (accessToken: unknown): Promise<number> =>
  (await fetch(`${world.looker.url}/api/4.0/user`, { headers: { authorization: `Bearer ${String(accessToken)}` } }))
    .status

test('POST /looker/token has the members of the contract and no others, and no cache keeps it', async () => {
  const response = await token(await as('ana'))
  expect(response.status).toBe(200)
  expect(response.headers.get('cache-control')).toBe('no-store')
  const answer = await json(response)
  expect(answer).toEqual({
    access_token: expect.stringMatching(/^\S{16,}$/),
    token_type: 'Bearer',
    expires_in: expect.any(Number),
    expires_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/),
    base_url: world.looker.url,
    looker_user_id: expect.stringMatching(/^\d+$/),
    grant: 'explorer',
  })
  expect(await statusAtLooker(answer['access_token'])).toBe(200)
})

test('expires_at is expires_in from now, in UTC, and neither is past the bearer', async () => {
  const now = Math.floor(Date.now() / 1000) * 1000
  const one = await world.sidecar({}, { clock: { now: () => now } })
  const answer = await json(token(await as('ana', { exp: now / 1000 + 120 }), 'POST', one))
  expect(answer).toMatchObject({ expires_in: 120, expires_at: new Date(now + 120_000).toISOString() })
})

test('the token of POST /looker/token is the one of the exchange', async () => {
  const bearer = await world.issuer.sign({ sub: 'ana' })
  const exchanged = await json(sidecar.exchange(bearer))
  const answer = await json(token({ authorization: `bearer ${bearer}` }))
  expect(answer['access_token']).toBe(exchanged['access_token'])
})

test('DELETE /looker/token logs the token out at Looker and forgets it', async () => {
  const headers = await as('vic')
  const first = await json(token(headers))
  const response = await token(headers, 'DELETE')
  expect(response.status).toBe(204)
  expect(await response.text()).toBe('')
  expect(await statusAtLooker(first['access_token'])).toBe(401)
  const second = await json(token(headers))
  expect(second['access_token']).not.toBe(first['access_token'])
  expect(await statusAtLooker(second['access_token'])).toBe(200)
})

test('the audit line of a token that was ended says whose Looker user it was', async () => {
  const headers = await as('ana')
  const { looker_user_id: lookerUserId } = await json(token(headers))
  const ended = await token(headers, 'DELETE')
  expect(ended.status).toBe(204)
  await expect
    .poll(() => sidecar.audit.findLast(line => line['status_code'] === '204'))
    .toMatchObject({ class_uid: 3002, activity_id: 2, unmapped: { grant: 'explorer', looker_user_id: lookerUserId } })
})

test('DELETE /looker/token ends one person’s token and leaves the others’', async () => {
  const ana = await json(token(await as('ana')))
  await token(await as('vic'), 'DELETE')
  expect(await statusAtLooker(ana['access_token'])).toBe(200)
  expect((await json(token(await as('ana'))))['access_token']).toBe(ana['access_token'])
})

test('DELETE /looker/token of a person who has none is 204, and Looker is not asked', async () => {
  const one = await world.sidecar({
    looker: { ...(world.written()['looker'] as object), externalUserId: 'x{subject}' },
  })
  const before = world.looker.calls.count()
  expect((await token(await as('vic'), 'DELETE', one)).status).toBe(204)
  expect(world.looker.calls.count()).toBe(before)
})

test.for(['POST', 'DELETE'])('%s /looker/token without an identity is 401, without an error code', async method => {
  const response = await token({}, method)
  expect(response.headers.get('www-authenticate')).toBe('Bearer')
  await expectProblem(response, 401, 'unauthenticated')
})

test('a bearer that does not hold is 401 invalid_token', async () => {
  const response = await token(await as('ana', { exp: 1 }))
  expect(response.headers.get('www-authenticate')).toMatch(/^Bearer error="invalid_token"/)
  await expectProblem(response, 401, 'invalid-token')
})

test('a person without a grant is 403 no-grant, and Looker is not asked', async () => {
  const before = world.looker.calls.count()
  await expectProblem(await token(await as('nora')), 403, 'no-grant')
  expect(world.looker.calls.count()).toBe(before)
})

test('a grant whose template needs a claim that the person lacks is 403 no-grant', async () => {
  const grant = {
    name: 'g',
    groups: ['viewers'],
    permissions: ['access_data'],
    userAttributes: { d: '{claim:department}' },
  }
  const one = await world.sidecar({ grants: [grant] })
  await expectProblem(await token(await as('vic'), 'POST', one), 403, 'no-grant')
})

test.for(['GET', 'PUT', 'PATCH'])('%s /looker/token is 405 and says what is allowed', async method => {
  const response = await token(await as('ana'), method)
  expect(response.headers.get('allow')).toBe('POST, DELETE')
  await expectProblem(response, 405, 'method-not-allowed')
})

test.for([
  ['hang', 504, 'timeout'],
  ['reset', 502, 'unreachable'],
  ['server-error', 502, undefined],
] as const)('a Looker that does %s is %i looker-unavailable', async ([kind, status, reason]) => {
  const one = await world.sidecar({ looker: { ...(world.written()['looker'] as object), timeoutSeconds: 0.3 } })
  world.looker.faults.inject({ kind, operation: 'login', times: Number.POSITIVE_INFINITY })
  try {
    await expectProblem(await token(await as('ana'), 'POST', one), status, 'looker-unavailable')
    const counted = (await one.metrics()).matchAll(
      /^sallyport_upstream_errors_total\{upstream="looker",reason="(\w+)"\} [1-9]/gm,
    )
    expect([...counted].map(([, counts]) => counts)).toEqual(reason === undefined ? [] : [reason])
  } finally {
    world.looker.faults.clear()
  }
})
