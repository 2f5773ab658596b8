import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTurnableWorld, type TurnableWorld } from '../looker/turnable.ts'
import { expectProblem } from '../support/problem.ts'
import { sessionOf, signIn } from '../support/sign-in.ts'
import { json, type Sidecar } from '../support/world.ts'

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
const SESSION = '/sallyport/looker/embed/session'
const TOKENS = '/sallyport/looker/embed/tokens'
const URL_OF = '/sallyport/looker/embed/url?src=%2Fembed%2Flooks%2F1'
const ACQUIRE = 'acquire_embed_cookieless_session'
const GENERATE = 'generate_tokens_for_cookieless_session'

let world: TurnableWorld
beforeAll(async () => {
  world = await startTurnableWorld()
})
afterAll(() => world.close())

type Headers = Record<string, string>

async function bearer(id: string, claims?: Record<string, unknown>): Promise<Headers> {
  return { authorization: `Bearer ${await world.subject(id, claims)}`, 'user-agent': FIREFOX }
}

/** As Embed SDK 2.0.8 asks for new tokens. */
function generate(sidecar: Sidecar, headers: Headers, body: unknown, method = 'PUT'): Promise<Response> {
  return sidecar.fetch(TOKENS, {
    method,
    headers: { ...headers, 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
}

const pageTokens = ({ api_token, navigation_token }: Record<string, unknown>) => ({ api_token, navigation_token })

test('acquire gives the page what the Embed SDK needs, and never the session itself', async () => {
  const sidecar = await world.sidecar()
  const headers = await bearer('ana')
  for (const method of ['GET', 'POST']) {
    const response = await sidecar.fetch(SESSION, { method, headers })
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store'])
    expect(await json(response)).toEqual({
      authentication_token: expect.stringMatching(/./),
      authentication_token_ttl: 30,
      navigation_token: expect.stringMatching(/./),
      navigation_token_ttl: 600,
      api_token: expect.stringMatching(/./),
      api_token_ttl: 600,
      session_reference_token_ttl: 3600,
    })
  }
  expect(world.looker.calls.list.findLast(({ operationId }) => operationId === ACQUIRE)?.userAgent).toBe(FIREFOX)
})

test('what is left falls by the time that has passed, from acquire to acquire and to generate', async () => {
  const sidecar = await world.sidecar()
  const first = await json(sidecar.fetch(SESSION, { headers: await bearer('trap') }))
  world.advance(500)
  const headers = await bearer('trap')
  const second = await json(sidecar.fetch(SESSION, { headers }))
  expect([first, second].map(body => body['session_reference_token_ttl'])).toEqual([3600, 3100])
  world.advance(23)
  const response = await generate(sidecar, headers, pageTokens(second))
  expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store'])
  expect(await json(response)).toEqual({
    api_token: expect.stringMatching(/./),
    api_token_ttl: 600,
    navigation_token: expect.stringMatching(/./),
    navigation_token_ttl: 600,
    session_reference_token_ttl: 3077,
  })
})

test('a session that is over is a 200 with nothing left, however the page asks', async () => {
  const sidecar = await world.sidecar()
  const held = await json(sidecar.fetch(SESSION, { headers: await bearer('late') }))
  world.advance(3600)
  for (const method of ['PUT', 'POST']) {
    const response = await generate(sidecar, await bearer('late'), pageTokens(held), method)
    expect(response.status).toBe(200)
    expect(await json(response)).toEqual({
      api_token: null,
      api_token_ttl: 0,
      navigation_token: null,
      navigation_token_ttl: 0,
      session_reference_token_ttl: 0,
    })
  }
  const foreign = { api_token: 'not', navigation_token: 'theirs' }
  await sidecar.fetch(SESSION, { headers: await bearer('late') })
  const response = await generate(sidecar, await bearer('late'), foreign)
  expect([response.status, (await json(response))['session_reference_token_ttl']]).toEqual([200, 0])
})

test('two failures of Looker in the middle do not show', async () => {
  const sidecar = await world.sidecar()
  const headers = await bearer('steady')
  const held = await json(sidecar.fetch(SESSION, { headers }))
  world.looker.faults.inject({ kind: 'server-error', status: 503, operation: GENERATE, times: 2 })
  const renewed = await json(generate(sidecar, headers, pageTokens(held)))
  expect(renewed['session_reference_token_ttl']).toBe(3600)
})

test('a changed grant is a new session at the next acquire, with the new scope', async () => {
  const sidecar = await world.sidecar()
  const before = await json(sidecar.fetch(SESSION, { headers: await bearer('mover', { groups: ['analytics'] }) }))
  const demoted = await bearer('mover', { groups: ['viewers'] })
  expect((await json(generate(sidecar, demoted, pageTokens(before))))['session_reference_token_ttl']).toBe(0)
  const after = await sidecar.fetch(SESSION, { headers: demoted })
  expect(world.looker.users.find('corp|mover')?.permissions).not.toContain('explore')
  const renewed = await json(generate(sidecar, demoted, pageTokens(await json(after))))
  expect(renewed['session_reference_token_ttl']).toBe(3600)
})

test('DELETE ends the session, here and at Looker', async () => {
  const sidecar = await world.sidecar()
  const headers = await bearer('leaver')
  const held = await json(sidecar.fetch(SESSION, { headers }))
  const id = world.looker.users.find('corp|leaver')?.id ?? ''
  expect(world.looker.sessions.has(id)).toBe(true)
  for (let time = 0; time < 2; time++) {
    const response = await sidecar.fetch(SESSION, { method: 'DELETE', headers })
    expect([response.status, await response.text()]).toEqual([204, ''])
  }
  expect(world.looker.sessions.has(id)).toBe(false)
  expect((await json(generate(sidecar, headers, pageTokens(held))))['session_reference_token_ttl']).toBe(0)
})

test('a person signed in with a browser embeds with the cookie, and signing out ends the session at Looker', async () => {
  const sidecar = await world.loginSidecar()
  const { browser } = await signIn(sidecar, 'ana')
  const headers = { cookie: `sallyport=${sessionOf(browser, sidecar)}`, 'user-agent': FIREFOX }
  const page = { ...headers, 'sec-fetch-site': 'same-origin' }
  const acquired = await sidecar.fetch(SESSION, { headers: page })
  expect(acquired.status).toBe(200)
  const held = await json(acquired)
  const origin = { ...headers, origin: sidecar.url }
  expect((await generate(sidecar, origin, pageTokens(held))).status).toBe(200)
  const live = world.looker.sessions.count()
  expect((await sidecar.fetch('/sallyport/logout', { method: 'POST', headers: origin })).status).toBe(303)
  expect(world.looker.sessions.count()).toBe(live - 1)
  await expectProblem(await generate(sidecar, origin, pageTokens(held)), 401, 'unauthenticated')
})

test('case 88: a page of another site begins no session and renews none with the cookie of a person', async () => {
  const sidecar = await world.loginSidecar()
  const { browser } = await signIn(sidecar, 'ana')
  const headers = { cookie: `sallyport=${sessionOf(browser, sidecar)}`, 'user-agent': FIREFOX }
  const calls = world.looker.calls.count(ACQUIRE)
  for (const site of ['cross-site', 'same-site']) {
    const elsewhere = { ...headers, 'sec-fetch-site': site }
    await expectProblem(await sidecar.fetch(SESSION, { headers: elsewhere }), 403, 'forbidden')
    await expectProblem(await sidecar.fetch(URL_OF, { headers: elsewhere }), 403, 'forbidden')
    await expectProblem(await sidecar.fetch(SESSION, { method: 'DELETE', headers: elsewhere }), 403, 'forbidden')
  }
  const strange = { ...headers, origin: 'https://evil.example' }
  await expectProblem(await generate(sidecar, strange, { api_token: 'a', navigation_token: 'b' }), 403, 'forbidden')
  expect(world.looker.calls.count(ACQUIRE)).toBe(calls)
})

test.each(['', '{', '[]', 'null', '{"api_token":"a"}', '{"api_token":"a","navigation_token":""}', '{"api_token":1}'])(
  'refuses a body that has not both tokens: %s',
  async body => {
    const sidecar = await world.sidecar()
    const { detail } = await expectProblem(await generate(sidecar, await bearer('ana'), body), 400, 'bad-request')
    expect(detail).toContain('navigation_token')
  },
)

test('refuses a body that is too large, another type, another method, and whoever is nobody', async () => {
  const sidecar = await world.sidecar()
  const headers = await bearer('ana')
  const large = { api_token: 'a'.repeat(70_000), navigation_token: 'b' }
  await expectProblem(await generate(sidecar, headers, large), 413, 'too-large')
  const form = new URLSearchParams({ api_token: 'a', navigation_token: 'b' })
  await expectProblem(await sidecar.fetch(TOKENS, { method: 'PUT', headers, body: form }), 400, 'bad-request')
  for (const [path, method] of [
    [SESSION, 'PUT'],
    [TOKENS, 'GET'],
    [URL_OF, 'POST'],
  ] as const) {
    await expectProblem(await sidecar.fetch(path, { method, headers }), 405, 'method-not-allowed')
  }
  expect((await sidecar.fetch(SESSION, { method: 'HEAD', headers })).status).toBe(405)
  await expectProblem(await sidecar.fetch(SESSION), 401, 'unauthenticated')
  const stranger = await bearer('stranger', { groups: ['nobody'] })
  await expectProblem(await sidecar.fetch(SESSION, { headers: stranger }), 403, 'no-grant')
})

test('each is an event of API activity with grant and Looker user, and no token is in it', async () => {
  const sidecar = await world.sidecar()
  const headers = await bearer('audited')
  const held = await json(sidecar.fetch(SESSION, { headers }))
  const renewed = await json(generate(sidecar, headers, pageTokens(held)))
  const { url } = await json(sidecar.fetch(URL_OF, { headers }))
  const events = sidecar.audit.filter(({ class_uid }) => class_uid === 6003)
  const lookerUserId = world.looker.users.find('corp|audited')?.id
  expect(events).toMatchObject([
    { api: { operation: `GET ${SESSION}` }, unmapped: { grant: 'explorer', looker_user_id: lookerUserId } },
    { api: { operation: `PUT ${TOKENS}` }, unmapped: { grant: 'explorer', looker_user_id: lookerUserId } },
    { api: { operation: 'GET /sallyport/looker/embed/url' }, unmapped: { looker_user_id: lookerUserId } },
  ])
  for (const event of events) expect(event).toMatchObject({ status_detail: 'grant', status_code: '200' })
  const seen = sidecar.auditText() + sidecar.logText() + (await sidecar.metrics())
  for (const secret of [held, renewed]
    .flatMap(body => Object.values(body))
    .filter(value => typeof value === 'string')) {
    expect(seen).not.toContain(secret)
  }
  expect(seen).not.toContain(new URL(String(url)).searchParams.get('signature'))
  for (const route of ['embed_session', 'embed_tokens', 'embed_url']) {
    expect(seen).toMatch(new RegExp(`http_requests_total\\{[^}]*route="${route}"`))
  }
})
