import { Agent } from 'undici'
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { KEYS_SERVE_MILLISECONDS } from '../../src/identity/key-set.ts'
import { createIssuer } from '../../src/identity/issuer.ts'
import { startIssuer } from '../../demo/issuer/issuer.ts'
import { ACCEPTED, ISSUER_UNAVAILABLE, present, probe, rejected } from '../support/tokens.ts'
import { issuerOptions, startPlainIssuer } from '../support/plain-issuer.ts'
import { createTurnedClock } from '../support/turned-clock.ts'
import { json, startWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterEach(() => {
  vi.useRealTimers()
  world.issuer.clear()
})
afterAll(() => world.close())

test.for(['down', 'error', 'bad-json'] as const)(
  'an issuer that is %s at the start leaves the sidecar live and not ready, and it goes on trying',
  async fault => {
    world.issuer.fail('all', fault)
    const token = await world.issuer.sign()
    const sidecar = await world.sidecar({}, { awaitReady: false })
    expect(await probe(sidecar, '/livez')).toBe(200)
    expect(await probe(sidecar, '/readyz')).toBe(503)
    expect(await present(world, sidecar, token)).toMatchObject(ISSUER_UNAVAILABLE)

    world.issuer.clear()
    await vi.waitFor(async () => expect(await probe(sidecar, '/readyz')).toBe(200), { timeout: 10_000 })
    expect(await present(world, sidecar, token)).toMatchObject(ACCEPTED)
  },
)

test('keys that cannot be had at the start are tried again although discovery went well', async () => {
  world.issuer.fail('jwks', 'down')
  const sidecar = await world.sidecar({}, { awaitReady: false })
  const before = world.issuer.hits.jwks
  await vi.waitFor(() => expect(world.issuer.hits.jwks).toBeGreaterThan(before + 1), { timeout: 10_000 })
  expect(await probe(sidecar, '/readyz')).toBe(503)
  world.issuer.clear()
  await vi.waitFor(async () => expect(await probe(sidecar, '/readyz')).toBe(200), { timeout: 10_000 })
})

test('an issuer that is down later: its last keys serve, up to 24 hours and no longer', async () => {
  const clock = createTurnedClock()
  const sidecar = await world.sidecar({}, { clock })
  const signed = (): Promise<string> => world.issuer.sign({ exp: Math.floor(clock.now() / 1000) + 3600 })
  expect(KEYS_SERVE_MILLISECONDS).toBe(24 * 60 * 60 * 1000)
  world.issuer.fail('all', 'down')
  expect(await present(world, sidecar, await signed())).toMatchObject(ACCEPTED)
  clock.turn({ hours: 23, minutes: 59 })
  expect(await present(world, sidecar, await signed())).toMatchObject(ACCEPTED)
  expect(await probe(sidecar, '/readyz')).toBe(200)

  clock.turn({ minutes: 1 })
  expect(await present(world, sidecar, await signed())).toMatchObject(ISSUER_UNAVAILABLE)
  expect(await probe(sidecar, '/readyz')).toBe(503)
  expect(await probe(sidecar, '/livez')).toBe(200)

  world.issuer.clear()
  clock.turn({ seconds: 10 })
  expect(await present(world, sidecar, await signed())).toMatchObject(ACCEPTED)
  expect(await probe(sidecar, '/readyz')).toBe(200)
})

test.for(['down', 'error', 'bad-json'] as const)(
  'a new key while the keys are %s: come back later, not a bad token, and the keys at hand serve on',
  async fault => {
    const clock = createTurnedClock()
    const sidecar = await world.sidecar({}, { clock })
    const old = await world.issuer.sign()
    await world.issuer.rotateKeys()
    const token = await world.issuer.sign()
    world.issuer.fail('jwks', fault)
    const refused = await sidecar.fetch('/headers', { headers: { authorization: `Bearer ${token}` } })
    expect({ status: refused.status, problem: (await json(refused))['type'] }).toEqual({
      status: 503,
      problem: 'urn:sallyport:problem:issuer-unavailable',
    })
    expect(refused.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    expect(refused.headers.get('www-authenticate')).toBeNull()
    expect(await present(world, sidecar, old)).toMatchObject(ACCEPTED)

    world.issuer.clear()
    clock.turn({ seconds: 10 })
    expect(await present(world, sidecar, token)).toMatchObject(ACCEPTED)
    // Now that the keys were had, a kid that is not among them is nobody's.
    const madeUp = await world.issuer.sign({}, { header: { kid: 'made-up' } })
    expect(await present(world, sidecar, madeUp)).toEqual(rejected('unknown-key'))
  },
)

test('the first request after 24 quiet hours is served, for the issuer is there', async () => {
  const clock = createTurnedClock()
  const sidecar = await world.sidecar({}, { clock })
  clock.turn({ hours: 25 })
  const token = await world.issuer.sign({ exp: Math.floor(clock.now() / 1000) + 3600 })
  expect(await present(world, sidecar, token)).toMatchObject(ACCEPTED)
})

test('keys are fetched again when nobody calls, or a quiet sidecar would turn unready and stay so', async () => {
  const issuer = await startPlainIssuer()
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const subject = createIssuer(issuerOptions(issuer.issuer, new Agent()))
  const fetched = (): number => issuer.requests.filter(({ path }) => path === '/jwks').length
  try {
    subject.start()
    await subject.loaded
    expect(fetched()).toBe(1)
    for (const times of [2, 3]) {
      await vi.waitFor(() => expect(vi.getTimerCount()).toBeGreaterThan(0))
      vi.advanceTimersByTime(15 * 60_000)
      await vi.waitFor(() => expect(fetched()).toBe(times))
    }
  } finally {
    subject.close()
    await issuer.close()
  }
})

test.for([
  ['another issuer', () => 'https://id.example.com'],
  ['the issuer with a slash more', (issuer: string) => `${issuer}/`],
  ['no issuer', () => undefined],
] as const)('47 discovery that names %s never makes the sidecar ready', async ([, said]) => {
  const issuer = await startPlainIssuer()
  try {
    issuer.answer('discovery', { body: { issuer: said(issuer.issuer), jwks_uri: `${issuer.issuer}/jwks` } })
    const issuers = [{ name: 'plain', issuer: issuer.issuer, audiences: ['sallyport'] }]
    const sidecar = await world.sidecar({ issuers }, { awaitReady: false })
    await vi.waitFor(() => expect(issuer.requests.length).toBeGreaterThan(1), { timeout: 10_000 })
    expect(await probe(sidecar, '/readyz')).toBe(503)
    expect(await present(world, sidecar, issuer.sign())).toMatchObject(ISSUER_UNAVAILABLE)
    expect(sidecar.logText()).toContain('the issuer cannot be used')
    expect(issuer.requests.filter(({ path }) => path === '/jwks')).toEqual([])
  } finally {
    await issuer.close()
  }
})

test('one issuer that is away does not stand in the way of another', async () => {
  const away = await startIssuer()
  away.fail('all', 'down')
  try {
    const issuers = [world.issuer, away].map(({ issuer }, at) => ({ name: `n${at}`, issuer, audiences: ['sallyport'] }))
    const sidecar = await world.sidecar({ issuers }, { awaitReady: false })
    await vi.waitFor(async () => expect(await probe(sidecar, '/readyz')).toBe(200), { timeout: 10_000 })
    expect(await present(world, sidecar, await world.issuer.sign())).toMatchObject(ACCEPTED)
    expect(await present(world, sidecar, await away.sign())).toMatchObject(ISSUER_UNAVAILABLE)
  } finally {
    await away.close()
  }
})
