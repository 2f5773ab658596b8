import { onTestFinished, expect, test } from 'vitest'
import { startPlainIssuer } from '../support/plain-issuer.ts'
import { answerTokens, begin, comeBack, sessionIn } from '../support/plain-sign-in.ts'
import { dumpRedis, spellings } from '../support/redis-dump.ts'
import { startRedisServer } from '../support/redis-server.ts'
import { createTurnedClock } from '../support/turned-clock.ts'
import { startWorld, type Written } from '../support/world.ts'
import {
  acquire,
  APPLICATION,
  asPage,
  lookerToken,
  PUT_STATE,
  slowStore,
  warningsOf,
  wholeSecond,
} from './looker-oauth.ts'

const DAY = 24 * 3600

/** People sign in with an issuer whose tokens the test knows. */
async function start({ login, ...sections }: Written & { login?: Written } = {}) {
  const clock = createTurnedClock()
  const [world, issuer] = await Promise.all([startWorld({ looker: { now: clock.now } }), startPlainIssuer()])
  onTestFinished(async () => void (await Promise.all([world.close(), issuer.close()])))
  const written = {
    name: 'plain',
    issuer: issuer.issuer,
    audiences: ['sallyport'],
    login: { clientId: 'web', ...login },
    lookerOAuth: { application: APPLICATION.name },
  }
  const session = { idleMinutes: 600 }
  const sidecar = await world.sidecar({ issuers: [written], session, ...sections }, { clock })
  return {
    world,
    issuer,
    clock,
    sidecar,
    stateOf(person: string) {
      const user = world.looker.users.find(`plain|${person}`)
      return user && world.looker.oauthState(user.id, APPLICATION.id)
    },
    async signIn(answer: Record<string, unknown>) {
      const begun = await begin(sidecar)
      answerTokens(issuer, begun.nonce, answer)
      const response = await comeBack(sidecar, begun)
      return { nonce: begun.nonce, headers: asPage(sessionIn(response)) }
    },
    /** What the issuer says to a refresh from now on. */
    willRefresh(nonce: string, answer: Record<string, unknown>) {
      answerTokens(issuer, nonce, { claims: { exp: Math.floor(clock.now() / 1000) + 3600 }, ...answer })
    },
  }
}

test.each([
  ['refresh_token_expires_in', 90 * DAY, 90 * DAY],
  ['refresh_expires_in', 1800, 1800],
  ['refresh_expires_in', 0, undefined],
])('the end of the refresh token is as the issuer says it: %s %i', async (member, said, seconds) => {
  const { clock, sidecar, stateOf, signIn } = await start()
  const { headers } = await signIn({ refresh_token: 'r1', [member]: said, scope: 'openid' })
  await lookerToken(sidecar, headers)
  expect(stateOf('ana')).toEqual({
    accessTokenExpiresAt: wholeSecond(clock.now() + 3600_000),
    refreshTokenExpiresAt: seconds === undefined ? Number.POSITIVE_INFINITY : wholeSecond(clock.now() + seconds * 1000),
  })
})

test('a refresh that says nothing new of the refresh token leaves its end where it was', async () => {
  const { clock, sidecar, stateOf, signIn, willRefresh } = await start()
  const { nonce, headers } = await signIn({ refresh_token: 'r1', refresh_token_expires_in: DAY })
  await lookerToken(sidecar, headers)
  const end = wholeSecond(clock.now() + DAY * 1000)
  clock.turn({ minutes: 61 })
  willRefresh(nonce, { access_token: 'a2' })
  await lookerToken(sidecar, headers)
  const accessTokenExpiresAt = wholeSecond(clock.now() + 3600_000)
  expect(stateOf('ana')).toEqual({ accessTokenExpiresAt, refreshTokenExpiresAt: end })
})

test('a refresh that gives no access to the data any more brings nothing, with a warning', async () => {
  const { world, clock, sidecar, signIn, willRefresh } = await start({ login: { scopes: ['openid', 'data'] } })
  // The scopes of OpenID Connect itself open no database: issuers often leave them out.
  const { nonce, headers } = await signIn({ refresh_token: 'r1', scope: 'data' })
  await lookerToken(sidecar, headers)
  clock.turn({ minutes: 61 })
  willRefresh(nonce, { access_token: 'a2', scope: 'openid' })
  expect((await lookerToken(sidecar, headers)).status).toBe(200)
  expect(world.looker.calls.count(PUT_STATE)).toBe(1)
  expect(warningsOf(sidecar)).toContainEqual(expect.objectContaining({ issuer: 'plain', scopes: ['data'] }))
})

test('the tokens are in no log, no audit line, no metric and, unsealed, nowhere in Redis, whatever Looker says of them', async () => {
  const redis = await startRedisServer()
  onTestFinished(() => redis.stop())
  const { world, clock, sidecar, signIn, willRefresh } = await start({ store: slowStore(redis.url) })
  const tokens = ['access-canary-1', 'refresh-canary-1', 'access-canary-2', 'refresh-canary-2']
  const [access1, refresh1, access2, refresh2] = tokens
  const body = JSON.stringify({ message: `bad: ${tokens.join(' ')}`, errors: [{ message: tokens.join(' ') }] })
  const refuse = (status: number) => world.looker.faults.inject({ kind: 'answer', operation: PUT_STATE, status, body })

  const { nonce, headers } = await signIn({ access_token: access1, refresh_token: refresh1, expires_in: 3600 })
  refuse(422)
  expect((await acquire(sidecar, headers)).status).toBe(200)
  clock.turn({ minutes: 61 })
  willRefresh(nonce, { access_token: access2, refresh_token: refresh2 })
  refuse(503)
  expect((await acquire(sidecar, headers)).status).toBe(200)
  clock.turn({ seconds: 31 })
  expect((await lookerToken(sidecar, headers)).status).toBe(200)
  // Refused, away, and then taken.
  expect(world.looker.calls.count(PUT_STATE)).toBe(3)
  expect(sidecar.logText()).toContain('could not be put into Looker')

  const { keys, everything } = await dumpRedis(redis.url)
  expect(keys).toBeGreaterThan(3)
  const seen = [sidecar.logText(), sidecar.auditText(), await sidecar.metrics(), everything].join('\n')
  const urls = world.looker.calls.list.map(({ path, query }) => `${path}?${query}`).join('\n')
  for (const token of tokens) {
    for (const spelling of spellings(token)) {
      expect(seen.includes(spelling), spelling).toBe(false)
      expect(urls.includes(spelling), spelling).toBe(false)
    }
  }
})
