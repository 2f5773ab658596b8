import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectNothingInternal } from '../support/problem.ts'
import { freePort } from '../../demo/free-port.ts'
import {
  ACCESS_TOKEN_TYPE,
  EXCHANGE_GRANT,
  json,
  redisStore,
  type Sidecar,
  startWorld,
  type World,
} from '../support/world.ts'

const TYPE = 'urn:ietf:params:oauth:token-type:'

let world: World
let sidecar: Sidecar
let ana: string
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.sidecar()
  ana = await world.issuer.sign({ sub: 'ana' })
})
afterAll(() => world.close())

/** `POST /token` with exactly these pairs. */
const post = (pairs: Iterable<[string, string]>, through = sidecar): Promise<Response> =>
  through.fetch('/sallyport/token', { method: 'POST', body: new URLSearchParams([...pairs]) })

const good = (): Map<string, string> =>
  new Map([
    ['grant_type', EXCHANGE_GRANT],
    ['subject_token', ana],
    ['subject_token_type', ACCESS_TOKEN_TYPE],
  ])

/** RFC 6749 §5.2 and the one member more. */
async function expectError(response: Response, error: string, problem: string, status = 400): Promise<string> {
  const text = await response.text()
  expect({ status: response.status, text }).toMatchObject({ status })
  expect(JSON.parse(text)).toEqual({
    error,
    error_description: expect.stringMatching(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/),
    problem: `urn:sallyport:problem:${problem}`,
  })
  expect(response.headers.get('content-type')).toMatch(/^application\/json/)
  expect(response.headers.get('cache-control')).toBe('no-store')
  expectNothingInternal(text)
  return text
}

test.for([
  ['memory', () => ({})],
  ['Redis', redisStore],
] as const)('a person gets the same Looker token twice with %s', async ([, store]) => {
  const one = await world.sidecar({ store: store() })
  const { accessToken } = await world.issuer.signIn('ana')
  const first = await json(one.exchange(accessToken))
  const second = await json(one.exchange(accessToken))
  expect(first).toMatchObject({ token_type: 'Bearer', scope: 'explorer' })
  expect(second['access_token']).toBe(first['access_token'])
})

test('the answer has the members of the contract and no others, and no cache keeps it', async () => {
  const response = await post(
    new Map([
      ...good(),
      ['requested_token_type', ACCESS_TOKEN_TYPE],
      ['resource', world.looker.url],
      ['audience', 'looker'],
      ['scope', 'explorer'],
    ]),
  )
  expect(response.status).toBe(200)
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(await json(response)).toEqual({
    access_token: expect.stringMatching(/^\S{16,}$/),
    issued_token_type: ACCESS_TOKEN_TYPE,
    token_type: 'Bearer',
    expires_in: expect.any(Number),
    scope: 'explorer',
  })
})

test('a token handed out is the person’s own at Looker, and not the service account’s', async () => {
  const { access_token } = await json(sidecar.exchange(ana))
  const me = await json(
    fetch(`${world.looker.url}/api/4.0/user`, { headers: { authorization: `Bearer ${String(access_token)}` } }),
  )
  expect(me).toMatchObject({ is_disabled: false, display_name: 'Ana Alvarez' })
  expect(String(me['id'])).not.toBe(world.looker.serviceUserId)
})

describe('case 29: a missing parameter is invalid_request', () => {
  test.for(['grant_type', 'subject_token', 'subject_token_type'])('%s left out, or empty', async name => {
    const without = good()
    without.delete(name)
    expect(await expectError(await post(without), 'invalid_request', 'bad-request')).toContain(`${name} is missing`)
    await expectError(await post(good().set(name, '')), 'invalid_request', 'bad-request')
  })
})

test.for([
  'grant_type',
  'subject_token',
  'subject_token_type',
  'requested_token_type',
  'resource',
  'audience',
  'scope',
  'actor_token',
])('case 30: a repeated parameter is invalid_request: %s', async name => {
  const value = good().get(name) ?? 'looker'
  const text = await expectError(
    await post([...good().set(name, value), [name, value]]),
    'invalid_request',
    'bad-request',
  )
  expect(text).toContain(`${name} is there more than once`)
})

test.for([
  ['subject_token_type', `${TYPE}refresh_token`],
  ['subject_token_type', `${TYPE}saml2`],
  ['subject_token_type', 'access_token'],
  ['requested_token_type', `${TYPE}refresh_token`],
  ['requested_token_type', `${TYPE}jwt`],
] as const)('case 31: a bad type is invalid_request: %s %s', async ([name, value]) => {
  await expectError(await post(good().set(name, value)), 'invalid_request', 'bad-request')
})

test.for([
  ['no token at all', () => Promise.resolve('nonsense')],
  ['one with another signature', async () => `${ana.slice(0, -6)}AAAAAA`],
  ['an expired one', () => world.issuer.sign({ sub: 'ana', exp: Math.floor(Date.now() / 1000) - 120 })],
  ['one for another audience', () => world.issuer.sign({ sub: 'ana', aud: 'somebody-else' })],
  ['one of an issuer that is not ours', () => world.issuer.sign({ sub: 'ana', iss: 'https://elsewhere.example' })],
] as const)('case 32: an invalid subject token is invalid_request, and Looker is not asked: %s', async ([, make]) => {
  const before = world.looker.calls.count()
  const token = await make()
  const text = await expectError(await sidecar.exchange(token), 'invalid_request', 'invalid-token')
  expect(text).not.toContain(token)
  expect(world.looker.calls.count()).toBe(before)
})

test('case 33: a subject token that no grant matches is invalid_request with the problem no-grant', async () => {
  const before = world.looker.calls.count()
  await expectError(await sidecar.exchange(await world.issuer.sign({ sub: 'nora' })), 'invalid_request', 'no-grant')
  expect(world.looker.calls.count()).toBe(before)
})

test.for(['authorization_code', 'client_credentials', 'refresh_token', `${EXCHANGE_GRANT}x`])(
  'case 34: another grant type is unsupported_grant_type: %s',
  async grantType => {
    await expectError(await post(good().set('grant_type', grantType)), 'unsupported_grant_type', 'bad-request')
  },
)

test.for([
  ['resource', '/api/4.0'],
  ['resource', 'LOOKER#fragment'],
  ['resource', 'LOOKER/#'],
  ['resource', 'LOOKER.evil.example'],
  ['resource', 'https://other.example.com'],
  ['audience', 'bigquery'],
  ['audience', 'looker sallyport'],
] as const)('case 35: another target is invalid_target: %s %s', async ([name, value]) => {
  await expectError(
    await post(good().set(name, value.replace('LOOKER', world.looker.url))),
    'invalid_target',
    'bad-request',
  )
})

test.for(['viewer', 'explorer viewer', 'EXPLORER', 'explorer\tadmin'])(
  'case 36: a scope that is not held is invalid_scope: %j',
  async scope => {
    const before = world.looker.calls.count()
    await expectError(await post(good().set('scope', scope)), 'invalid_scope', 'bad-request')
    expect(world.looker.calls.count()).toBe(before)
  },
)

describe('case 37: what cannot be reached is temporarily_unavailable, 503 and Retry-After', () => {
  const expectUnavailable = async (response: Response, problem: string): Promise<void> => {
    await expectError(response, 'temporarily_unavailable', problem, 503)
    expect(response.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
  }
  const elsewhere = (url: string, timeoutSeconds = 5): Promise<Sidecar> =>
    world.sidecar({ looker: { ...(world.written()['looker'] as object), url, timeoutSeconds } })

  test('nobody listens at Looker’s address', async () => {
    const one = await elsewhere(`http://127.0.0.1:${await freePort()}`)
    await expectUnavailable(await one.exchange(ana), 'looker-unavailable')
  })

  test.for(['hang', 'server-error', 'reset'] as const)('Looker does %s', async kind => {
    const one = await elsewhere(world.looker.url, 0.3)
    world.looker.faults.inject({ kind, operation: 'login', times: Number.POSITIVE_INFINITY })
    try {
      await expectUnavailable(await one.exchange(ana), 'looker-unavailable')
    } finally {
      world.looker.faults.clear()
    }
  })

  test('the store', async () => {
    const one = await world.sidecar({ store: redisStore(`redis://127.0.0.1:${await freePort()}`) })
    await expectUnavailable(await one.exchange(ana), 'store-unavailable')
  })
})

describe('case 38: expires_in', () => {
  let now = Math.floor(Date.now() / 1000) * 1000
  const signedFor = (seconds: number): Promise<string> =>
    world.issuer.sign({ sub: 'ana', iat: now / 1000 - 3600, exp: now / 1000 + seconds })

  test('is recalculated for every answer and never past the subject token nor below 1', async () => {
    const one = await world.sidecar({}, { clock: { now: () => now } })
    const ask = async (seconds: number): Promise<Record<string, unknown>> =>
      json(one.exchange(await signedFor(seconds)))
    const first = await ask(7200)
    // Looker said 3600 seconds; ten are the margin.
    expect(first['expires_in']).toBe(3590)
    now += 600_500
    const second = await ask(7200)
    expect(second).toMatchObject({ access_token: first['access_token'], expires_in: 2989 })
    expect((await ask(90))['expires_in']).toBe(90)
    // Expired, and within the skew that clocks are allowed.
    expect((await ask(-30))['expires_in']).toBe(1)
  })
})

test('case 39: GET is 405 with Allow', async () => {
  const response = await sidecar.fetch('/sallyport/token')
  expect(response.status).toBe(405)
  expect(response.headers.get('allow')).toBe('POST')
})

test.for([
  ['application/json', () => JSON.stringify(Object.fromEntries(good()))],
  ['text/plain', () => new URLSearchParams([...good()]).toString()],
  ['nonsense', () => new URLSearchParams([...good()]).toString()],
] as const)('case 39: a body of %s is 400', async ([type, body]) => {
  const response = await sidecar.fetch('/sallyport/token', {
    method: 'POST',
    headers: { 'content-type': type },
    body: body(),
  })
  await expectError(response, 'invalid_request', 'bad-request')
})

test('case 39: no body at all is 400', async () => {
  await expectError(await sidecar.fetch('/sallyport/token', { method: 'POST' }), 'invalid_request', 'bad-request')
})

test.for([
  [['actor_token', 'x']],
  [['actor_token_type', ACCESS_TOKEN_TYPE]],
  [
    ['actor_token', 'x'],
    ['actor_token_type', ACCESS_TOKEN_TYPE],
  ],
] as const)('case 40: an actor token is refused, with and without its type: %j', async more => {
  await expectError(
    await post([...good(), ...more.map(([a, b]): [string, string] => [a, b])]),
    'invalid_request',
    'bad-request',
  )
})

test('case 40: there is never a refresh token', async () => {
  const { accessToken } = await world.issuer.signIn('ana', { scopes: ['openid', 'offline_access'] })
  for (const answer of [await json(sidecar.exchange(accessToken)), await json(post(good().set('scope', 'explorer')))]) {
    expect(answer).toHaveProperty('access_token')
    expect(JSON.stringify(answer)).not.toContain('refresh')
  }
})
