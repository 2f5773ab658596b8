import { expect, test, vi } from 'vitest'
import { webClient } from '../../demo/issuer/clients.ts'
import { whoIs } from '../support/sign-in.ts'
import { json, redisUrl, webClientOf } from '../support/world.ts'
import {
  acquire,
  APPLICATION,
  BIGQUERY_GRANTS,
  LIFE_SECONDS,
  LIST_APPLICATIONS,
  lookerToken,
  PUT_STATE,
  signedIn,
  slowStore,
  startStage,
  warningsOf,
  wholeSecond,
} from './looker-oauth.ts'

const BIGQUERY = 'https://www.googleapis.com/auth/bigquery'
/** What is done behind a request's back is waited for, on a busy machine too. */
const SOON = { timeout: 20_000, interval: 20 }
const sessionIn = (headers: Record<string, string>): string => (headers['cookie'] ?? '').replace('sallyport=', '')

test('asks the issuer for offline access, and for consent without which there would be none', async () => {
  const { sidecar: start } = await startStage()
  const sidecar = await start()
  const { searchParams } = new URL((await sidecar.fetch('/sallyport/login')).headers.get('location') ?? '')
  expect(searchParams.get('scope')).toBe('openid email profile offline_access')
  expect(searchParams.get('prompt')).toBe('consent')
  expect(searchParams.has('access_type')).toBe(false)
})

test('Looker has the person’s tokens when their Looker token is handed out, and BigQuery answers', async () => {
  const { world, clock, puts, stateOf, sidecar: start } = await startStage()
  const sidecar = await start()
  const headers = await signedIn(sidecar)
  expect(puts()).toBe(0)

  const { access_token: token } = await json(lookerToken(sidecar, headers))
  expect(stateOf('ana')).toEqual({
    accessTokenExpiresAt: wholeSecond(clock.now() + LIFE_SECONDS * 1000),
    // There is one, and the issuer does not say how long it lives.
    refreshTokenExpiresAt: Number.POSITIVE_INFINITY,
  })
  const query = await fetch(`${world.looker.url}/api/4.0/queries/run/json`, {
    method: 'POST',
    headers: { authorization: `Bearer ${String(token)}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'marketing', view: 'campaigns', fields: ['campaigns.name'] }),
  })
  expect(query.status).toBe(200)

  await Promise.all([lookerToken(sidecar, headers), acquire(sidecar, headers), lookerToken(sidecar, headers)])
  expect(puts()).toBe(1)
  expect(warningsOf(sidecar).filter(({ remedy }) => remedy !== undefined)).toEqual([])
})

test.each(['/sallyport/looker/embed/session', '/sallyport/looker/embed/url?src=%2Fembed%2Fdashboards%2F1'])(
  'Looker has the tokens before %s lets an iframe load',
  async path => {
    const { puts, stateOf, sidecar: start } = await startStage()
    const sidecar = await start()
    const headers = await signedIn(sidecar)
    expect((await sidecar.fetch(path, { headers })).status).toBe(200)
    expect(stateOf('ana')).toBeDefined()
    expect(puts()).toBe(1)
  },
)

test('ten tabs that ask at once bring the tokens once', async () => {
  const { puts, sidecar: start } = await startStage()
  const sidecar = await start()
  const headers = await signedIn(sidecar)
  const answers = await Promise.all(Array.from({ length: 10 }, () => acquire(sidecar, headers)))
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200))
  expect(puts()).toBe(1)
})

test('each refresh brings the new tokens, although nobody asks for anything of Looker’s', async () => {
  const { clock, puts, stateOf, sidecar: start } = await startStage()
  const sidecar = await start()
  const headers = await signedIn(sidecar)
  await lookerToken(sidecar, headers)
  for (const round of [2, 3]) {
    clock.turn({ seconds: LIFE_SECONDS })
    expect(await whoIs(sidecar, sessionIn(headers))).toBe('ana')
    const expected = wholeSecond(clock.now() + LIFE_SECONDS * 1000)
    await vi.waitFor(() => expect(stateOf('ana')?.accessTokenExpiresAt).toBe(expected), SOON)
    expect(puts()).toBe(round)
  }
  await Promise.all([lookerToken(sidecar, headers), acquire(sidecar, headers)])
  expect(puts()).toBe(3)
})

test('a refresh brings nothing of somebody who never asked for anything of Looker’s; their first request does', async () => {
  const { clock, puts, stateOf, sidecar: start } = await startStage()
  const sidecar = await start()
  const headers = await signedIn(sidecar)
  clock.turn({ seconds: LIFE_SECONDS })
  expect(await whoIs(sidecar, sessionIn(headers))).toBe('ana')
  expect(puts()).toBe(0)
  await acquire(sidecar, headers)
  expect(stateOf('ana')?.accessTokenExpiresAt).toBe(wholeSecond(clock.now() + LIFE_SECONDS * 1000))
  expect(puts()).toBe(1)
})

test('another replica refreshes and brings the new tokens; those who meet them later bring them no more', async () => {
  const { world, clock, puts, stateOf, issuers, sidecar: start } = await startStage()
  const store = slowStore(redisUrl())
  const here = await start({}, { store })
  const server = { publicUrl: here.url, drainSeconds: 1 }
  const there = await world.sidecar({ server, issuers: issuers(), grants: BIGQUERY_GRANTS, store }, { clock })
  const headers = await signedIn(here)
  await Promise.all([acquire(here, headers), acquire(there, headers), lookerToken(there, headers)])
  expect(puts()).toBe(1)

  clock.turn({ seconds: LIFE_SECONDS })
  expect(await whoIs(there, sessionIn(headers))).toBe('ana')
  const expected = wholeSecond(clock.now() + LIFE_SECONDS * 1000)
  await vi.waitFor(() => expect(stateOf('ana')?.accessTokenExpiresAt).toBe(expected), SOON)
  await Promise.all([acquire(here, headers), lookerToken(there, headers)])
  expect(puts()).toBe(2)
})

test('of one person’s sessions the youngest tokens stay at Looker', async () => {
  const { clock, puts, stateOf, sidecar: start } = await startStage()
  const sidecar = await start()
  const laptop = await signedIn(sidecar)
  await lookerToken(sidecar, laptop)
  clock.turn({ seconds: 60 })
  const telephone = await signedIn(sidecar)
  await lookerToken(sidecar, telephone)
  await lookerToken(sidecar, laptop)
  expect(stateOf('ana')?.accessTokenExpiresAt).toBe(wholeSecond(clock.now() + LIFE_SECONDS * 1000))
  expect(puts()).toBe(2)
})

test('a client without refresh tokens signs in, with a warning that says what to do; Looker has the access token', async () => {
  const { world, clock, stateOf, sidecar: start } = await startStage()
  const sidecar = await start()
  world.issuer.setClient({ ...webClient(webClientOf(sidecar.url)), grant_types: ['authorization_code'] })
  const headers = await signedIn(sidecar)
  expect((await acquire(sidecar, headers)).status).toBe(200)
  expect(stateOf('ana')).toEqual({
    accessTokenExpiresAt: wholeSecond(clock.now() + LIFE_SECONDS * 1000),
    refreshTokenExpiresAt: undefined,
  })
  expect(warningsOf(sidecar)).toContainEqual(
    expect.objectContaining({
      level: 'warn',
      issuer: 'corp',
      msg: expect.stringContaining('no refresh token'),
      remedy: expect.stringContaining('offline access'),
    }),
  )
})

test('a scope that was not granted is a warning that names it; the person signs in, and Looker gets no tokens', async () => {
  const { puts, sidecar: start } = await startStage()
  const sidecar = await start({ login: { scopes: ['openid', 'email', 'profile', BIGQUERY] } })
  const headers = await signedIn(sidecar)
  for (const ask of [lookerToken, acquire]) expect((await ask(sidecar, headers)).status).toBe(200)
  expect(puts()).toBe(0)
  expect(warningsOf(sidecar)).toContainEqual(
    expect.objectContaining({ issuer: 'corp', scopes: [BIGQUERY], remedy: expect.stringContaining('signs in again') }),
  )
})

test.each([404, 422, 409])(
  'Looker refuses the tokens with %i: a warning, and the iframe loads all the same',
  async status => {
    const { world, clock, puts, stateOf, sidecar: start } = await startStage()
    const sidecar = await start()
    const headers = await signedIn(sidecar)
    world.looker.faults.inject({ kind: 'answer', operation: PUT_STATE, status, body: '{"message":"No"}' })
    expect((await acquire(sidecar, headers)).status).toBe(200)
    expect((await lookerToken(sidecar, headers)).status).toBe(200)
    // Refused once, it is not asked with the same tokens again and again.
    expect(puts()).toBe(1)
    expect(warningsOf(sidecar)).toContainEqual(
      expect.objectContaining({
        application: APPLICATION.name,
        failure: expect.objectContaining({ operation: PUT_STATE, status }),
        remedy: expect.stringMatching(/./),
      }),
    )
    clock.turn({ seconds: LIFE_SECONDS })
    expect((await acquire(sidecar, headers)).status).toBe(200)
    expect(stateOf('ana')?.accessTokenExpiresAt).toBe(wholeSecond(clock.now() + LIFE_SECONDS * 1000))
  },
)

test('a Looker that does not answer holds the iframe up for seconds at most, and has the tokens as soon as it can', async () => {
  const { world, clock, stateOf, sidecar: start } = await startStage()
  const sidecar = await start()
  const headers = await signedIn(sidecar)
  world.looker.faults.inject({ kind: 'hang', operation: PUT_STATE })
  const started = performance.now()
  expect((await acquire(sidecar, headers)).status).toBe(200)
  expect(performance.now() - started).toBeLessThan(9_000)
  await vi.waitFor(
    () =>
      expect(
        warningsOf(sidecar)
          .map(({ msg }) => msg)
          .join(),
      ).toContain('could not be put'),
    SOON,
  )
  clock.turn({ seconds: 31 })
  expect((await acquire(sidecar, headers)).status).toBe(200)
  expect(stateOf('ana')).toBeDefined()
})

test('the application’s id is used as it is, and its name is looked up once', async () => {
  const { world, puts, sidecar: start } = await startStage()
  const byId = await start({ lookerOAuth: { application: APPLICATION.id } })
  await acquire(byId, await signedIn(byId))
  expect([puts(), world.looker.calls.count(LIST_APPLICATIONS)]).toEqual([1, 0])
  const byName = await start()
  for (const person of ['ana', 'vic']) await acquire(byName, await signedIn(byName, person))
  expect([puts(), world.looker.calls.count(LIST_APPLICATIONS)]).toEqual([3, 1])
})

test('a name that Looker does not know is an error with the remedy, and looked for again after minutes only', async () => {
  const { world, clock, puts, sidecar: start } = await startStage()
  const sidecar = await start({ lookerOAuth: { application: 'BigQery' } })
  for (const person of ['ana', 'vic']) {
    const headers = await signedIn(sidecar, person)
    expect((await acquire(sidecar, headers)).status).toBe(200)
    expect((await lookerToken(sidecar, headers)).status).toBe(200)
  }
  expect(world.looker.calls.count(LIST_APPLICATIONS)).toBe(1)
  const told = warningsOf(sidecar).filter(({ application }) => application === 'BigQery')
  expect(told).toEqual([expect.objectContaining({ level: 'error', msg: expect.stringContaining('or the id') })])
  clock.turn({ seconds: 301 })
  await acquire(sidecar, await signedIn(sidecar))
  expect(world.looker.calls.count(LIST_APPLICATIONS)).toBe(2)
  expect(puts()).toBe(0)
})

test('a bearer brings no tokens, and an issuer that is not marked none either', async () => {
  const { world, puts, sidecar: start } = await startStage()
  const marked = await start()
  const headers = { authorization: `Bearer ${await world.issuer.sign({ sub: 'ana' })}` }
  expect((await acquire(marked, headers)).status).toBe(200)
  const plain = await world.loginSidecar()
  expect((await acquire(plain, await signedIn(plain))).status).toBe(200)
  const { searchParams } = new URL((await plain.fetch('/sallyport/login')).headers.get('location') ?? '')
  expect([searchParams.get('scope'), searchParams.get('prompt')]).toEqual(['openid email profile', null])
  expect(puts()).toBe(0)
})
