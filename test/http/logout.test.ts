import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { startRedisServer } from '../support/redis-server.ts'
import { answerOf, sessionOf, signIn, whoIs } from '../support/sign-in.ts'
import { redisStore, type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.loginSidecar()
})
afterEach(() => {
  world.issuer.clear()
  world.looker.faults.clear()
})
afterAll(() => world.close())

const post = (session: string | undefined, headers: Record<string, string> = { origin: sidecar.url }, at = sidecar) =>
  at.fetch('/sallyport/logout', {
    method: 'POST',
    headers: { ...headers, ...(session === undefined ? {} : { cookie: `sallyport=${session}` }) },
  })

test('ends the session and the cookie, and leads to the issuer, which knows whose session it is and leads back', async () => {
  const { browser } = await signIn(sidecar, 'ana')
  const session = sessionOf(browser, sidecar)
  const response = await post(session)
  expect(response.status).toBe(303)
  expect(response.headers.get('set-cookie')).toMatch(/^sallyport=; Max-Age=0;/)
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(await whoIs(sidecar, session)).toBe(401)

  const location = new URL(response.headers.get('location') ?? '')
  expect(location.href).toMatch(`${world.issuer.issuer}/session/end?`)
  expect(Object.fromEntries(location.searchParams)).toEqual({
    client_id: 'web',
    id_token_hint: expect.stringMatching(/^eyJ[\w-]+\.[\w-]+\.[\w-]+$/),
    post_logout_redirect_uri: `${sidecar.url}/sallyport/signed-out`,
  })
  const asked = await browser.open(location)
  const last = await browser.submit(asked, { logout: 'yes' })
  expect(last.url.href).toBe(`${sidecar.url}/sallyport/signed-out`)
  expect(last.body).toContain('You are signed out')
  // The issuer has forgotten them too: it asks who they are.
  expect((await browser.open(`${sidecar.url}/sallyport/login`)).body).toContain('Who is signing in?')
})

test('drops the person’s Looker token, at Looker too', async () => {
  const { browser } = await signIn(sidecar, 'ana')
  const session = sessionOf(browser, sidecar)
  const headers = { cookie: `sallyport=${session}`, origin: sidecar.url }
  const answer = await sidecar.fetch('/sallyport/looker/token', { method: 'POST', headers })
  const { access_token: token } = (await answer.json()) as { access_token: string }
  const call = () => fetch(`${world.looker.url}/api/4.0/user`, { headers: { authorization: `Bearer ${token}` } })
  expect((await call()).status).toBe(200)
  await post(session)
  expect((await call()).status).toBe(401)
})

test.each([
  { method: 'POST', path: '/sallyport/looker/token', operation: 'login_user', statuses: [401] },
  {
    method: 'GET',
    path: '/sallyport/looker/embed/session',
    operation: 'acquire_embed_cookieless_session',
    statuses: [401, 503],
  },
])('whoever signs out while Looker is at $operation for them gets nothing, nor do those who wait behind', async one => {
  const { browser } = await signIn(sidecar, 'vic')
  const session = sessionOf(browser, sidecar)
  const headers = { cookie: `sallyport=${session}`, origin: sidecar.url }
  const ask = () => sidecar.fetch(one.path, { method: one.method, headers })
  // Known to Looker by now, and without a token again.
  await sidecar.fetch('/sallyport/looker/token', { method: 'POST', headers })
  await sidecar.fetch('/sallyport/looker/token', { method: 'DELETE', headers })
  const vic = world.looker.users.find('corp|vic')?.id ?? ''
  const calls = world.looker.calls.count(one.operation)
  world.looker.faults.inject({ kind: 'delay', operation: one.operation, milliseconds: 2000 })
  const asked = [ask(), ask(), ask()]
  await vi.waitFor(() => expect(world.looker.calls.count(one.operation)).toBe(calls + 1))
  expect((await post(session)).status).toBe(303)
  for (const { status } of await Promise.all(asked)) expect(one.statuses).toContain(status)
  // The token case leaves the session that the user was set up with, which nobody was ever given anything for.
  if (one.path.includes('embed')) expect(world.looker.sessions.has(vic)).toBe(false)
})

test('who signs in anew in another tab while Looker is asked is not signed out: the first tab has its token', async () => {
  const { browser } = await signIn(sidecar, 'vic')
  const first = { cookie: `sallyport=${sessionOf(browser, sidecar)}`, origin: sidecar.url }
  await sidecar.fetch('/sallyport/looker/token', { method: 'DELETE', headers: first })
  const calls = world.looker.calls.count('login_user')
  world.looker.faults.inject({ kind: 'delay', operation: 'login_user', milliseconds: 2000 })
  const asked = sidecar.fetch('/sallyport/looker/token', { method: 'POST', headers: first })
  await vi.waitFor(() => expect(world.looker.calls.count('login_user')).toBe(calls + 1))
  await signIn(sidecar, 'vic', { browser })
  expect(await whoIs(sidecar, first.cookie.slice(10))).toBe(401)
  expect((await asked).status).toBe(200)
  const { access_token: token } = (await (await asked).json()) as { access_token: string }
  const call = await fetch(`${world.looker.url}/api/4.0/user`, { headers: { authorization: `Bearer ${token}` } })
  expect(call.status).toBe(200)
})

test('is one audit line with the person, and no token', async () => {
  const { browser } = await signIn(sidecar, 'nora')
  await post(sessionOf(browser, sidecar))
  const line = await vi.waitFor(() => {
    const found = sidecar.audit.findLast(({ api }) => JSON.stringify(api).includes('POST /sallyport/logout'))
    expect(found).toMatchObject({ class_uid: 3002, actor: { user: { uid: 'nora' } }, status_detail: 'signed-out' })
    return found
  })
  expect(JSON.stringify(line)).not.toContain('eyJ')
})

test('without a session, or with one that is over, clears the cookie and leads to the start page', async () => {
  const { browser } = await signIn(sidecar, 'ana')
  const over = sessionOf(browser, sidecar)
  await post(over)
  for (const response of [await post(undefined), await post(over), await post('nonsense'), await post(undefined, {})]) {
    expect(response.status).toBe(303)
    expect(response.headers.get('location')).toBe('/')
    expect(response.headers.get('set-cookie')).toMatch(/^sallyport=; Max-Age=0;/)
  }
})

test('88 asked for by a page of somebody else is 403, and nobody is signed out', async () => {
  const { browser } = await signIn(sidecar, 'ana')
  const session = sessionOf(browser, sidecar)
  for (const headers of [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: `${sidecar.url}.evil.example` },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    {},
  ]) {
    const response = await post(session, headers)
    expect({ headers, status: response.status }).toEqual({ headers, status: 403 })
    expect(response.headers.get('set-cookie')).toBeNull()
  }
  expect((await post(undefined, { origin: 'https://evil.example' })).headers.get('set-cookie')).toBeNull()
  expect(await whoIs(sidecar, session)).toBe('ana')
  expect((await post(session, { 'sec-fetch-site': 'same-origin' })).status).toBe(303)
})

test('goes on where Looker cannot be reached: the session is over', async () => {
  const { browser } = await signIn(sidecar, 'ana')
  const session = sessionOf(browser, sidecar)
  await sidecar.fetch('/sallyport/looker/token', {
    method: 'POST',
    headers: { cookie: `sallyport=${session}`, origin: sidecar.url },
  })
  world.looker.faults.inject({ kind: 'reset', times: Infinity })
  expect((await post(session)).status).toBe(303)
  expect(await whoIs(sidecar, session)).toBe(401)
})

test('while the store is away is 503 and leaves the cookie, so that the person can try again', async () => {
  const [elsewhere, redis] = await Promise.all([startWorld(), startRedisServer()])
  const stored = await elsewhere.loginSidecar({ store: redisStore(redis.url) })
  const { browser } = await signIn(stored, 'ana')
  const session = sessionOf(browser, stored)
  await redis.halt()
  const response = await post(session, { origin: stored.url, accept: 'text/html' }, stored)
  expect(response.status).toBe(503)
  expect(response.headers.get('set-cookie')).toBeNull()
  expect(await response.text()).toContain('try again')
  expect((await stored.fetch('/sallyport/login')).status).toBe(503)
  await elsewhere.close()
  await redis.stop()
})

test('a person who signs out in one tab and answers the issuer in another is signed in by that', async () => {
  const { browser } = await signIn(sidecar, 'ana')
  const { answer } = await answerOf(sidecar, 'ana', { browser })
  await post(sessionOf(browser, sidecar))
  expect((await browser.open(answer)).status).toBe(200)
})
