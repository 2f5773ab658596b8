import { LookerEmbedExSDK } from '@looker/embed-sdk'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { connectLooker, type EmbedTokens } from '../../src/browser/client.ts'
import { refusalOf } from './page.ts'

const TOKENS: EmbedTokens = {
  authentication_token: 'a',
  authentication_token_ttl: 30,
  navigation_token: 'n',
  navigation_token_ttl: 600,
  api_token: 'p',
  api_token_ttl: 600,
  session_reference_token_ttl: 3000,
}

let answerWith: () => Response
/** When each request was sent, in seconds. */
let sentAt: number[]
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout'] })
  sentAt = []
  vi.stubGlobal('fetch', async () => {
    sentAt.push(performance.now() / 1000)
    return answerWith()
  })
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const answers = (status: number, retryAfter?: string) => (): Response =>
  Response.json(status === 200 ? TOKENS : { detail: `${status}` }, {
    status,
    headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter },
  })
const unreachable = (): never => {
  throw new TypeError('fetch failed')
}
const pass = (seconds: number): Promise<unknown> => vi.advanceTimersByTimeAsync(seconds * 1000)
/** Seconds between one request and the next. */
const pauses = (): number[] => sentAt.slice(1).map((at, index) => at - (sentAt[index] ?? 0))

/** @param isNext there was a session before. */
function embed(isNext = true) {
  const looker = connectLooker({ prefix: 'https://app.example.com/sallyport', lookerUrl: 'https://looker.example.com' })
  const sdk = looker.embed(new LookerEmbedExSDK())
  if (isNext) sdk.clearSession()
  // What the SDK has been told to call, which is another after each session.
  const told = sdk as unknown as Record<'acquireSession' | 'generateTokens', () => Promise<EmbedTokens>>
  return { looker, sdk, acquire: () => told.acquireSession(), generate: () => told.generateTokens() }
}

test.each([
  ['502', answers(502)],
  ['503', answers(503)],
  ['504', answers(504)],
  ['no answer', unreachable],
  ['a page of the ingress', () => new Response('<h1>Bad gateway</h1>', { status: 502 })],
])('a frame waits for a Looker that is away, and has its session once Looker is there: %s', async (_name, away) => {
  answerWith = away
  const acquired = embed().acquire()
  await pass(120)
  answerWith = answers(200)
  await pass(15)
  expect(await acquired).toEqual(TOKENS)
  const [first, second, third, fourth, ...rest] = pauses()
  for (const [pause, least] of [
    [first, 1],
    [second, 2],
    [third, 4],
    [fourth, 8],
  ] as const) {
    expect(pause).toBeGreaterThanOrEqual(least)
    expect(pause).toBeLessThanOrEqual(least * 1.25)
  }
  expect(rest.length).toBeGreaterThan(4)
  expect(Math.min(...rest)).toBeGreaterThanOrEqual(12)
  expect(Math.max(...rest)).toBeLessThanOrEqual(15)
  expect(new Set(rest).size).toBeGreaterThan(1)
})

test('where there never was a frame, the page is told at once', async () => {
  answerWith = answers(502)
  expect(await refusalOf(embed(false).acquire())).toMatchObject({ status: 502 })
  expect(sentAt.length).toBe(1)
})

test('a frame asks again when it was told to', async () => {
  answerWith = answers(502, '40')
  const acquired = embed().acquire()
  await pass(39)
  expect(sentAt.length).toBe(1)
  await pass(11)
  expect(sentAt.length).toBe(2)
  // A date is not understood.
  answerWith = answers(503, 'Sun, 06 Nov 2094 08:49:37 GMT')
  await pass(50)
  answerWith = answers(200)
  await pass(15)
  expect(await acquired).toEqual(TOKENS)
  expect(pauses()[1]).toBeGreaterThanOrEqual(40)
  expect(Math.max(...pauses().slice(2))).toBeLessThanOrEqual(15)
})

test('a frame does not wait for longer than five minutes', async () => {
  answerWith = answers(503, '301')
  expect(await refusalOf(embed().acquire())).toMatchObject({ status: 503 })
  expect(sentAt.length).toBe(1)

  answerWith = answers(504)
  const ended = vi.fn<() => void>()
  const refused = refusalOf(embed().acquire()).finally(ended)
  await pass(284)
  expect(ended).not.toHaveBeenCalled()
  await pass(20)
  expect(await refused).toMatchObject({ status: 504, detail: '504' })
  const { length } = sentAt
  await pass(600)
  expect(sentAt.length).toBe(length)
})

test.each([400, 401, 403, 500])('what waiting would not mend is not waited for: %i', async status => {
  answerWith = answers(status)
  expect(await refusalOf(embed().acquire())).toMatchObject({ status })
  expect(sentAt.length).toBe(1)
})

test('who has signed out meanwhile has to sign in again', async () => {
  const { looker, acquire } = embed()
  const signInNeeded = vi.fn<() => void>()
  looker.addEventListener('signInNeeded', signInNeeded)
  answerWith = answers(502)
  const refused = refusalOf(acquire())
  await pass(30)
  answerWith = answers(401)
  await pass(15)
  expect(await refused).toMatchObject({ status: 401 })
  expect(signInNeeded).toHaveBeenCalledTimes(1)
})

test.each([
  ['its session is over', ({ sdk }: ReturnType<typeof embed>) => sdk.clearSession()],
  ['the page has another try', () => undefined],
])('of the frames of a page one waits for Looker: the one before gives up when %s', async (_name, turn) => {
  answerWith = answers(502)
  const page = embed()
  const before = refusalOf(page.acquire())
  await pass(60)
  turn(page)
  const after = page.acquire()
  await pass(15)
  expect(await before).toMatchObject({ status: 502 })
  const { length } = sentAt
  await pass(120)
  expect(sentAt.length - length).toBeLessThanOrEqual(10)
  answerWith = answers(200)
  await pass(15)
  expect(await after).toEqual(TOKENS)
})

test('a session that ends while a frame waits for it is asked for no more', async () => {
  answerWith = unreachable
  const { sdk, acquire } = embed()
  const refused = refusalOf(acquire())
  await pass(60)
  sdk.clearSession()
  const { length } = sentAt
  await pass(60)
  expect(sentAt.length).toBe(length)
  expect(await refused).toMatchObject({ status: 0, cause: new TypeError('fetch failed') })
})

test('tokens that were waited for have their whole life', async () => {
  answerWith = answers(503)
  const { acquire, generate } = embed()
  const acquired = acquire()
  await pass(240)
  answerWith = answers(200)
  await pass(15)
  await acquired
  await pass(450)
  answerWith = answers(502)
  const { navigation_token_ttl: left = 0 } = await generate()
  expect(left).toBeGreaterThan(100)
})
