import { expect, test } from 'vitest'
import { createEmbedSessions } from '../../../demo/looker/embed-sessions.ts'
import { type ApiClient, type Answer, loginAsAdmin, memberOf, openLooker } from './api-client.ts'

const ANN = { external_user_id: 'ann', permissions: ['access_data'], models: ['thelook'], session_length: 1800 }
const BROWSER = { 'user-agent': 'Firefox' }

function acquire(admin: ApiClient, body: object, headers: Record<string, string> = BROWSER): Promise<Answer> {
  return admin.request('POST', '/embed/cookieless_session/acquire', body, headers)
}

function generate(admin: ApiClient, body: object, headers: Record<string, string> = BROWSER): Promise<Answer> {
  return admin.request('PUT', '/embed/cookieless_session/generate_tokens', body, headers)
}

async function openAcquired(body: object = ANN) {
  const looker = await openLooker()
  const admin = await loginAsAdmin(looker)
  const answer = await acquire(admin, body)
  return { looker, admin, answer, reference: memberOf(answer, 'session_reference_token') }
}

test('acquire makes the embed user and answers four tokens with their lives', async () => {
  const { looker, answer } = await openAcquired({
    ...ANN,
    first_name: 'Ann',
    group_ids: ['8', '404'],
    external_group_id: 'corp',
    user_attributes: { region: 'EMEA', seats: 3 },
  })
  expect(answer.json).toEqual({
    authentication_token: expect.any(String),
    authentication_token_ttl: 30,
    navigation_token: expect.any(String),
    navigation_token_ttl: 600,
    api_token: expect.any(String),
    api_token_ttl: 600,
    session_reference_token: expect.any(String),
    session_reference_token_ttl: 1800,
  })
  expect(looker.users.find('ann')).toMatchObject({
    firstName: 'Ann',
    lastName: 'User',
    externalGroupId: 'corp',
    permissions: ['access_data'],
    models: ['thelook'],
    groupIds: ['1', '8'],
    attributes: { region: 'EMEA', seats: '3' },
  })
})

test('a session lasts 300 seconds unless told otherwise, and caps its tokens', async () => {
  const { answer } = await openAcquired({ external_user_id: 'ann' })
  expect(answer.json).toMatchObject({ session_reference_token_ttl: 300, navigation_token_ttl: 300, api_token_ttl: 300 })
})

test('permissions that embedding does not allow are left out', async () => {
  const { looker } = await openAcquired({ ...ANN, permissions: ['access_data', 'administer', 'sudo', 'see_users'] })
  expect(looker.users.find('ann')?.permissions).toEqual(['access_data'])
})

test('joining a live session neither updates the user nor extends the session', async () => {
  const { looker, admin, answer, reference } = await openAcquired()
  looker.clock.advance(100)
  const joined = await acquire(admin, {
    ...ANN,
    permissions: ['access_data', 'explore'],
    models: ['finance'],
    session_length: 9000,
    session_reference_token: reference,
  })
  expect(joined.json).toMatchObject({ session_reference_token: reference, session_reference_token_ttl: 1700 })
  expect(memberOf(joined, 'authentication_token')).not.toBe(memberOf(answer, 'authentication_token'))
  expect(looker.users.find('ann')).toMatchObject({ permissions: ['access_data'], models: ['thelook'] })
})

test('an expired reference silently begins a new session and updates the user', async () => {
  const { looker, admin, reference } = await openAcquired()
  looker.clock.advance(1800)
  const renewed = await acquire(admin, { ...ANN, models: ['finance'], session_reference_token: reference })
  expect(renewed.json).toMatchObject({ session_reference_token_ttl: 1800 })
  expect(memberOf(renewed, 'session_reference_token')).not.toBe(reference)
  expect(looker.users.find('ann')?.models).toEqual(['finance'])
})

test("somebody else's reference is not found", async () => {
  const { looker, admin, reference } = await openAcquired()
  const stolen = await acquire(admin, { ...ANN, external_user_id: 'ben', session_reference_token: reference })
  expect(stolen.status).toBe(404)
  expect(looker.users.find('ben')).toBeUndefined()
})

test('a new session of the same person ends the old one and replaces its grants', async () => {
  const { looker, admin, reference } = await openAcquired({ ...ANN, user_attributes: { region: 'EMEA' } })
  await acquire(admin, { ...ANN, permissions: ['see_looks'], models: ['finance'] })
  expect(looker.sessions.count()).toBe(1)
  expect(looker.users.find('ann')).toMatchObject({ permissions: ['see_looks'], models: ['finance'], attributes: {} })
  expect((await generate(admin, { session_reference_token: reference })).status).toBe(400)
})

test('generate renews both tokens for what is left of the session', async () => {
  const { looker, admin, answer, reference } = await openAcquired()
  looker.clock.advance(1600)
  const renewed = await generate(admin, {
    session_reference_token: reference,
    navigation_token: memberOf(answer, 'navigation_token'),
    api_token: memberOf(answer, 'api_token'),
  })
  expect(renewed.json).toMatchObject({
    session_reference_token: reference,
    session_reference_token_ttl: 200,
    navigation_token_ttl: 200,
    api_token_ttl: 200,
  })
  expect(memberOf(renewed, 'api_token')).not.toBe(memberOf(answer, 'api_token'))
})

test('generate on an expired session is a success with no time left', async () => {
  const { looker, admin, reference } = await openAcquired()
  looker.clock.advance(1800)
  const answer = await generate(admin, { session_reference_token: reference })
  expect(answer.status).toBe(200)
  expect(answer.json).toMatchObject({ session_reference_token_ttl: 0, api_token: null, navigation_token: null })
})

test('generate refuses tokens that are not of the session', async () => {
  const { admin, answer, reference } = await openAcquired()
  const other = await acquire(admin, { ...ANN, external_user_id: 'ben' })
  const bodies = [
    { session_reference_token: 'made-up' },
    { session_reference_token: reference, api_token: memberOf(other, 'api_token') },
    { session_reference_token: reference, navigation_token: memberOf(answer, 'api_token') },
  ]
  for (const body of bodies) {
    const refused = await generate(admin, body)
    expect(refused.status).toBe(400)
    expect(memberOf(refused, 'message')).toContain('Invalid input tokens provided')
  }
})

test("generate wants the browser's User-Agent that acquire had", async () => {
  const { admin, reference } = await openAcquired()
  const answer = await generate(admin, { session_reference_token: reference }, { 'user-agent': 'node' })
  expect(answer.status).toBe(400)
  expect(memberOf(answer, 'message')).not.toContain('Invalid input tokens')
})

test('a deleted session is over, and its reference is kept out of the record of calls', async () => {
  const { looker, admin, reference } = await openAcquired()
  expect((await admin.request('DELETE', `/embed/cookieless_session/${reference}`)).status).toBe(204)
  expect((await generate(admin, { session_reference_token: reference })).status).toBe(400)
  expect((await admin.request('DELETE', `/embed/cookieless_session/${reference}`)).status).toBe(404)
  expect(JSON.stringify(looker.calls.list)).not.toContain(reference)
})

test('only an administrator may open sessions, and only while embedding is switched on', async () => {
  const { looker, admin } = await openAcquired()
  const ann = await admin.request('POST', `/login/${looker.users.find('ann')?.id}`)
  const asAnn = { ...BROWSER, authorization: `Bearer ${memberOf(ann, 'access_token')}` }
  expect((await acquire(admin, ANN, asAnn)).status).toBe(404)
  await admin.request('PATCH', '/setting', { embed_config: { embed_cookieless_v2: false } })
  expect((await acquire(admin, ANN)).status).toBe(404)
})

test('an authentication token starts one iframe within thirty seconds', () => {
  let now = 0
  const sessions = createEmbedSessions(() => now)
  const session = sessions.begin(
    { id: '7', externalUserId: 'ann' },
    { seconds: 300, userAgent: 'Firefox', embedDomain: undefined },
  )
  const [first, second] = [sessions.join(session), sessions.join(session)]
  expect(sessions.redeem(first.authentication_token)).toBe(session)
  expect(sessions.redeem(first.authentication_token)).toBeUndefined()
  now += 30_000
  expect(sessions.redeem(second.authentication_token)).toBeUndefined()
})

test('a signed URL is of the target page, differs each time, and creates the user only when used', async () => {
  const { looker, admin } = await openAcquired()
  const body = { ...ANN, external_user_id: 'ben', target_url: 'https://looker.example.com/dashboards/1?Region=EMEA' }
  const [first, second] = [await sign(body), await sign(body)]
  async function sign(definition: object) {
    return new URL(memberOf(await admin.request('POST', '/embed/sso_url', definition), 'url'))
  }
  expect(first.origin).toBe('https://looker.example.com')
  expect(decodeURIComponent(first.pathname)).toBe('/login/embed//embed/dashboards/1?Region=EMEA')
  expect(first.searchParams.get('nonce')).not.toBe(second.searchParams.get('nonce'))
  expect(looker.users.find('ben')).toBeUndefined()
})

test('the embed_domain of a signed URL is let in over CORS for good', async () => {
  const { admin } = await openAcquired()
  const embed_domain = 'https://shop.example.com'
  await admin.request('POST', '/embed/sso_url', { ...ANN, target_url: 'https://l.example.com/looks/1', embed_domain })
  const setting = await admin.request('GET', '/setting?fields=embed_config(domain_allowlist)')
  expect(setting.json).toEqual({ embed_config: { domain_allowlist: [embed_domain] } })
})
