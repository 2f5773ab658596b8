import { decodeJwt } from 'jose'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createBrowser } from '../../demo/issuer/browser.ts'
import { logoutToken, sendLogout } from '../support/logout-token.ts'
import { startRedisServer } from '../support/redis-server.ts'
import { sessionOf, signIn, whoIs } from '../support/sign-in.ts'
import { json, redisStore, type Sidecar, startWorld, type World, type Written } from '../support/world.ts'

let world: World
let sidecar: Sidecar
let replica: Sidecar
/** Knows the same people and none of their groups. */
let stripped: Sidecar
beforeAll(async () => {
  world = await startWorld()
  const store = redisStore()
  sidecar = await world.loginSidecar({ store })
  const server = { publicUrl: sidecar.url, listen: '127.0.0.1:0', admin: '127.0.0.1:0' }
  const [issuer] = world.written()['issuers'] as Written[]
  const login = { clientId: 'web', clientSecret: { fromEnv: 'WEB_SECRET' } }
  replica = await world.sidecar({ server, store, issuers: [{ ...issuer, login }] })
  const grants = [{ name: 'others', groups: ['others'], permissions: ['access_data'], models: ['thelook'] }]
  stripped = await world.sidecar({ server, store, issuers: [{ ...issuer, login }], grants })
})
afterAll(() => world.close())

/** The issuer's own id of the session that a browser has at it. */
async function sidOf(session: string | undefined): Promise<unknown> {
  // The way out carries the ID token.
  const response = await sidecar.fetch('/sallyport/logout', {
    method: 'POST',
    headers: { cookie: `sallyport=${session}`, origin: sidecar.url },
  })
  return decodeJwt(new URL(response.headers.get('location') ?? '').searchParams.get('id_token_hint') ?? '')['sid']
}

test('54 a valid logout token is 200, and ends the sessions and the Looker tokens of its subject on every replica', async () => {
  const [here, there] = [await signIn(sidecar, 'ana'), await signIn(sidecar, 'ana')]
  const vic = await signIn(sidecar, 'vic')
  const sessions = [here, there].map(({ browser }) => sessionOf(browser, sidecar))
  for (const at of [sidecar, replica]) {
    for (const session of sessions) expect(await whoIs(at, session)).toBe('ana')
  }
  const headers = { cookie: `sallyport=${sessions[0]}`, origin: sidecar.url }
  const { access_token: token } = await json(replica.fetch('/sallyport/looker/token', { method: 'POST', headers }))

  const response = await sendLogout(sidecar, await logoutToken(world.issuer, { sub: 'ana' }))
  expect(response.status).toBe(200)
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(await response.text()).toBe('')
  for (const session of sessions) {
    expect(await whoIs(sidecar, session)).toBe(401)
    await vi.waitFor(async () => expect(await whoIs(replica, session)).toBe(401), { timeout: 5000, interval: 20 })
  }
  const call = await fetch(`${world.looker.url}/api/4.0/user`, {
    headers: { authorization: `Bearer ${String(token)}` },
  })
  expect(call.status).toBe(401)
  expect(await whoIs(replica, sessionOf(vic.browser, sidecar))).toBe('vic')
  expect(await whoIs(sidecar, sessionOf((await signIn(sidecar, 'ana')).browser, sidecar))).toBe('ana')
})

const ENDINGS: Record<string, (session: string) => Promise<Response>> = {
  'a logout token': async () => sendLogout(stripped, await logoutToken(world.issuer, { sub: 'ana' })),
  'POST /logout': session =>
    stripped.fetch('/sallyport/logout', {
      method: 'POST',
      headers: { cookie: `sallyport=${session}`, origin: sidecar.url },
    }),
}

test.each(Object.keys(ENDINGS))('54 %s ends what somebody has at Looker who has lost every grant', async name => {
  const session = sessionOf((await signIn(sidecar, 'ana')).browser, sidecar) ?? ''
  const headers = { cookie: `sallyport=${session}`, origin: sidecar.url }
  const { access_token: token, looker_user_id: id } = await json(
    sidecar.fetch('/sallyport/looker/token', { method: 'POST', headers }),
  )
  expect((await sidecar.fetch('/sallyport/looker/embed/session', { headers })).status).toBe(200)
  expect(world.looker.sessions.has(String(id))).toBe(true)
  await ENDINGS[name]?.(session)
  const authorization = `Bearer ${String(token)}`
  expect((await fetch(`${world.looker.url}/api/4.0/user`, { headers: { authorization } })).status).toBe(401)
  expect(world.looker.sessions.has(String(id))).toBe(false)
})

test('54 a logout token with a sid ends that session of the subject and no other', async () => {
  const [one, other] = [await signIn(sidecar, 'ana'), await signIn(sidecar, 'ana')]
  const again = await signIn(sidecar, 'ana', { browser: one.browser })
  const sid = await sidOf(sessionOf(again.browser, sidecar))
  const { browser } = await signIn(sidecar, 'ana', { browser: one.browser })
  expect((await sendLogout(replica, await logoutToken(world.issuer, { sub: undefined, sid }))).status).toBe(200)
  await vi.waitFor(async () => expect(await whoIs(sidecar, sessionOf(browser, sidecar))).toBe(401), { interval: 20 })
  expect(await whoIs(sidecar, sessionOf(other.browser, sidecar))).toBe('ana')
})

test('54 a person who signs out at the issuer is signed out here', async () => {
  const { browser } = await signIn(sidecar, 'vic', { browser: createBrowser() })
  const session = sessionOf(browser, sidecar)
  expect(await whoIs(sidecar, session)).toBe('vic')
  const page = await browser.open(`${world.issuer.issuer}/session/end`)
  await browser.submit(page, { logout: 'yes' })
  await vi.waitFor(async () => expect(await whoIs(sidecar, session)).toBe(401), { timeout: 5000, interval: 20 })
})

test('is one audit line with the person, and no token', async () => {
  await signIn(sidecar, 'nora')
  const token = await logoutToken(world.issuer, { sub: 'nora' })
  await sendLogout(sidecar, token)
  await vi.waitFor(() => {
    const line = sidecar.audit.findLast(({ api }) => JSON.stringify(api).includes('backchannel-logout'))
    expect(line).toMatchObject({ class_uid: 3002, actor: { user: { uid: 'nora' } }, status_detail: 'signed-out' })
  })
  expect(sidecar.auditText()).not.toContain(token)
})

test('of somebody who has no session is 200', async () => {
  const response = await sendLogout(sidecar, await logoutToken(world.issuer, { sub: 'nobody' }))
  expect(response.status).toBe(200)
})

test('while the store is away is 503, and the same token counts once the store is back', async () => {
  const [elsewhere, redis] = await Promise.all([startWorld(), startRedisServer({ appendOnly: true })])
  const stored = await elsewhere.loginSidecar({ store: redisStore(redis.url) })
  const { browser } = await signIn(stored, 'ana')
  const session = sessionOf(browser, stored)
  const token = await logoutToken(elsewhere.issuer, { sub: 'ana' })
  await redis.halt()
  expect((await sendLogout(stored, token)).status).toBe(503)
  await redis.resume()
  const again = await vi.waitFor(
    async () => {
      const response = await sendLogout(stored, token)
      expect(response.status).not.toBe(503)
      return response
    },
    { timeout: 10_000, interval: 50 },
  )
  expect(again.status).toBe(200)
  expect(await whoIs(stored, session)).toBe(401)
  await elsewhere.close()
  await redis.stop()
})
