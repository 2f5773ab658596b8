import { getEmbedSDK, LookerEmbedExSDK } from '@looker/embed-sdk'
import { expect, onTestFinished, test, vi } from 'vitest'
import { connectLooker, type EmbedTokens, type Looker } from '../../src/browser/client.ts'
import { startUpstream } from '../support/upstream.ts'
import { refusalOf, setPage, timesOf } from './page.ts'

const page = setPage()

/** What the SDK has been told to call. */
function callsOf(sdk: LookerEmbedExSDK): { acquire(): Promise<EmbedTokens>; generate(): Promise<EmbedTokens> } {
  const { acquireSession, generateTokens } = sdk as unknown as Record<string, unknown>
  return { acquire: acquireSession as never, generate: generateTokens as never }
}
const embedWith = (looker: Looker): LookerEmbedExSDK => looker.embed(new LookerEmbedExSDK())
const OVER = { session_reference_token_ttl: 0 }

test('embed makes the SDK ready to begin a session and to renew its tokens', async () => {
  const sdk = embedWith(page.connect())
  expect(sdk.apiHost).toBe(new URL(page.world.looker.url).host)
  const { acquire, generate } = callsOf(sdk)
  const acquired = await acquire()
  expect(acquired).toEqual({
    authentication_token: expect.stringMatching(/\S/),
    authentication_token_ttl: expect.any(Number),
    navigation_token: expect.stringMatching(/\S/),
    navigation_token_ttl: expect.any(Number),
    api_token: expect.stringMatching(/\S/),
    api_token_ttl: expect.any(Number),
    session_reference_token_ttl: expect.any(Number),
  })
  const renewed = await generate()
  expect(renewed.api_token).not.toBe(acquired.api_token)
  expect((await generate()).api_token).not.toBe(renewed.api_token)
  expect(page.sent).toEqual([
    'POST /sallyport/looker/embed/session',
    'PUT /sallyport/looker/embed/tokens',
    'PUT /sallyport/looker/embed/tokens',
  ])
})

test('connecting without a session rejects with what Sallyport says', async () => {
  page.become(undefined)
  const looker = page.connect()
  const times = timesOf(looker, 'signInNeeded')
  expect(await refusalOf(callsOf(embedWith(looker)).acquire())).toMatchObject({ status: 401 })
  expect(times()).toBe(1)
})

test('renewing never fails: while Sallyport is away the old tokens go on, with what is left of them', async () => {
  const tokens = {
    authentication_token: 'a',
    navigation_token: 'n',
    navigation_token_ttl: 600,
    api_token: 'p',
    api_token_ttl: 500,
    session_reference_token_ttl: 3000,
  }
  let status = 200
  const upstream = await startUpstream((_request, response) => response.writeHead(status).end(JSON.stringify(tokens)))
  onTestFinished(() => upstream.close())
  const looker = connectLooker({ prefix: upstream.url, lookerUrl: 'https://looker.example.com' })
  const { acquire, generate } = callsOf(embedWith(looker))
  await acquire()
  page.turn(400)
  status = 502
  expect(await generate()).toMatchObject({
    navigation_token: 'n',
    navigation_token_ttl: 200,
    api_token: 'p',
    api_token_ttl: 100,
    session_reference_token_ttl: 2600,
  })
  page.turn(99)
  expect(await generate()).toMatchObject({ api_token: 'p', api_token_ttl: 1 })
  page.turn(1)
  expect(await generate()).toEqual(OVER)

  status = 200
  expect(await generate()).toEqual(tokens)
  page.turn(50)
  status = 502
  expect(await generate()).toMatchObject({ api_token: 'p', api_token_ttl: 450 })
  status = 403
  expect(await generate()).toEqual(OVER)
})

test('after a sign-out in another tab renewing says that the session is over', async () => {
  const looker = page.connect()
  const times = timesOf(looker, 'signInNeeded')
  const { acquire, generate } = callsOf(embedWith(looker))
  await acquire()
  page.become(undefined)
  expect(await generate()).toEqual(OVER)
  expect(times()).toBe(1)
})

test('renewing what was never begun is no use', async () => {
  expect(await callsOf(embedWith(page.connect())).generate()).toEqual(OVER)
})

test('the SDK forgets everything when a session expires, and is ready again, once for all frames of a page', () => {
  const looker = page.connect()
  const times = timesOf(looker, 'embedExpired')
  const sdk = embedWith(looker)
  const initCookieless = vi.spyOn(sdk, 'initCookieless')
  Object.assign(sdk, { _sessionCreated: true })
  for (let frame = 0; frame < 3; frame++) sdk.clearSession()
  expect(sdk).toMatchObject({ _sessionCreated: false })
  expect([times(), initCookieless.mock.calls.length]).toEqual([1, 1])
  expect(sdk.apiHost).toBe(new URL(page.world.looker.url).host)
  expect(callsOf(sdk).acquire).toBeTypeOf('function')
  page.turn(300)
  sdk.clearSession()
  expect(times()).toBe(2)
})

test('what a frame of the session before still asks, or is answered, is not about the next session', async () => {
  const sdk = embedWith(page.connect())
  const before = callsOf(sdk)
  await before.acquire()
  const held = Promise.withResolvers<void>()
  page.beforeSending(() => held.promise)
  const late = before.generate()
  page.beforeSending(() => undefined)
  await fetch(`${page.sidecar.url}/sallyport/looker/embed/session`, { method: 'DELETE' })
  sdk.clearSession()
  const next = callsOf(sdk)
  expect(await next.generate()).toEqual(OVER)
  await next.acquire()
  held.resolve()
  expect(await late).toMatchObject(OVER)
  expect((await next.generate()).api_token).toMatch(/\S/)
})

test('embedding twice is embedding once', () => {
  const looker = page.connect()
  const times = timesOf(looker, 'embedExpired')
  const sdk = looker.embed(looker.embed(getEmbedSDK()))
  sdk.clearSession()
  expect(times()).toBe(1)
})

test('without knowing where Looker is, embed says what is missing', () => {
  expect(() => connectLooker().embed(getEmbedSDK())).toThrow('connectLooker({ lookerUrl })')
})
