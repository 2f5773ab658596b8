import { createPublicKey, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { rsaKey } from '../support/plain-issuer.ts'
import { LOGOUT_EVENT, logoutToken, sendLogout } from '../support/logout-token.ts'
import { sessionOf, signIn, whoIs } from '../support/sign-in.ts'
import { createTurnedClock } from '../support/turned-clock.ts'
import { json, type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
let session: string | undefined
const clock = createTurnedClock()
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.loginSidecar({}, { clock })
  session = sessionOf((await signIn(sidecar, 'ana')).browser, sidecar)
})
afterAll(() => world.close())

/** 400 in the form of OpenID Connect Back-Channel Logout §2.8, and the session goes on. */
async function expectRefused(response: Response | Promise<Response>): Promise<void> {
  const { status, headers } = await response
  expect({ status, cache: headers.get('cache-control') }).toEqual({ status: 400, cache: 'no-store' })
  expect(await json(response)).toEqual({ error: 'invalid_request', error_description: expect.stringMatching(/\S/) })
  expect(await whoIs(sidecar, session)).toBe('ana')
}

const now = Math.floor(Date.now() / 1000)
const BAD_CLAIMS: Record<string, unknown>[] = [
  { aud: 'sallyport' },
  { aud: undefined },
  { aud: ['other'] },
  { iss: 'https://evil.example' },
  { iss: undefined },
  { events: undefined },
  { events: {} },
  { events: [LOGOUT_EVENT] },
  { events: LOGOUT_EVENT },
  { events: { [LOGOUT_EVENT]: true } },
  { events: { 'http://schemas.openid.net/event/other': {} } },
  { nonce: 'n' },
  { nonce: null },
  { sub: undefined, sid: undefined },
  { sub: '' },
  { sub: 7 },
  { sub: ['ana'] },
  { sid: {} },
  { jti: undefined },
  { jti: '' },
  { jti: 7 },
  { iat: undefined },
  { iat: now - 700, exp: now + 600 },
  { iat: now + 600 },
  { exp: undefined },
  { exp: now - 120 },
  { exp: 1e300 },
]

test.for(BAD_CLAIMS)('55 a logout token with %j is 400 and ends nothing', async claims => {
  await expectRefused(sendLogout(sidecar, await logoutToken(world.issuer, claims)))
})

test.for(['none', 'None', 'NONE'])('55 a logout token with alg %s is 400 and ends nothing', async alg => {
  const token = await logoutToken(world.issuer, {}, { header: { alg } })
  await expectRefused(sendLogout(sidecar, token))
  await expectRefused(sendLogout(sidecar, `${token}AAAA`))
})

test('55 a logout token of another key, keyed with the public key, of another type, cut or empty is 400', async () => {
  const { issuer } = world
  const [key] = issuer.signingKeys
  if (key === undefined) throw new Error('no key')
  const pem = createPublicKey({ key: { ...key }, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
  const good = await logoutToken(issuer)
  for (const token of [
    await logoutToken(issuer, {}, { key: rsaKey('key-1').privateKey }),
    await logoutToken(issuer, {}, { header: { alg: 'HS256' }, key: Buffer.from(pem) }),
    await logoutToken(issuer, {}, { header: { typ: 'at+jwt' } }),
    await logoutToken(issuer, {}, { header: { kid: 'key-9' } }),
    await logoutToken(issuer, {}, { header: { crit: ['exp'] } }),
    good.slice(0, -4),
    `${good}=`,
    ` ${good}`,
    'a.b.c',
    '',
    'x'.repeat(9000),
  ]) {
    await expectRefused(sendLogout(sidecar, token))
  }
})

test('55 an ID token or an access token does not sign anybody out', async () => {
  const signedIn = await world.issuer.signIn('ana')
  await expectRefused(sendLogout(sidecar, signedIn.idToken))
  await expectRefused(sendLogout(sidecar, signedIn.accessToken))
})

test('55 a logout token that comes again is 400, and does not end the session that was begun since', async () => {
  const token = await logoutToken(world.issuer, { sub: 'vic' })
  expect((await sendLogout(sidecar, token)).status).toBe(200)
  const { browser } = await signIn(sidecar, 'vic')
  await expectRefused(sendLogout(sidecar, token))
  clock.turn({ minutes: 5 })
  await expectRefused(sendLogout(sidecar, token))
  clock.turn({ minutes: -5 })
  expect(await whoIs(sidecar, sessionOf(browser, sidecar))).toBe('vic')
  const other = await logoutToken(world.issuer, { sub: 'vic', jti: randomUUID() })
  const answers = await Promise.all(Array.from({ length: 4 }, () => sendLogout(sidecar, other)))
  expect(answers.map(({ status }) => status).sort((one, other) => one - other)).toEqual([200, 400, 400, 400])
})

test('55 a form without a logout token, with two, or no form at all is 400', async () => {
  const token = await logoutToken(world.issuer)
  const bodies: [RequestInit['body'], string][] = [
    ['', 'application/x-www-form-urlencoded'],
    ['other=1', 'application/x-www-form-urlencoded'],
    [`logout_token=${token}&logout_token=${token}`, 'application/x-www-form-urlencoded'],
    [JSON.stringify({ logout_token: token }), 'application/json'],
    [token, 'application/logout+jwt'],
  ]
  for (const [body, type] of bodies) {
    const init = { method: 'POST', body: body ?? '', headers: { 'content-type': type } }
    await expectRefused(sidecar.fetch('/sallyport/backchannel-logout', init))
  }
  await expectRefused(sidecar.fetch(`/sallyport/backchannel-logout?logout_token=${token}`, { method: 'POST' }))
  const get = await sidecar.fetch(`/sallyport/backchannel-logout?logout_token=${token}`)
  expect(get.status).toBe(405)
  expect((await sendLogout(sidecar, token)).status).toBe(200)
  session = sessionOf((await signIn(sidecar, 'ana')).browser, sidecar)
})
