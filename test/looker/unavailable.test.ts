import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Sidecar } from '../support/world.ts'
import {
  exchanged,
  type Handed,
  lookerSection,
  lookerToken,
  startTurnableWorld,
  type TurnableWorld,
} from './turnable.ts'

let world: TurnableWorld
let sidecar: Sidecar
beforeEach(async () => {
  world = await startTurnableWorld()
  sidecar = await world.sidecar()
})
afterEach(() => world.close())

const ask = async (id: string): Promise<Handed> => lookerToken(sidecar, await world.subject(id))
const UNAVAILABLE = 'urn:sallyport:problem:looker-unavailable'
const FOR_EVER = { times: Number.POSITIVE_INFINITY } as const

test('waits as long as Looker asks with 429, and then succeeds', async () => {
  await ask('warm')
  world.looker.faults.inject({ kind: 'too-many-requests', retryAfterSeconds: 1 })
  const started = performance.now()
  expect((await ask('paused')).status).toBe(200)
  expect(performance.now() - started).toBeGreaterThanOrEqual(950)
})

test('leaves Looker alone altogether while it asks for a pause', async () => {
  await ask('warm')
  world.looker.faults.inject({ kind: 'too-many-requests', retryAfterSeconds: 1 })
  const first = ask('first')
  await vi.waitFor(() => expect(world.looker.faults.pending).toBe(0))
  const before = world.looker.calls.count()
  const others = [ask('second'), ask('third')]
  await new Promise(resolve => setTimeout(resolve, 400))
  expect(world.looker.calls.count()).toBe(before)
  expect((await Promise.all([first, ...others])).map(({ status }) => status)).toEqual([200, 200, 200])
})

test.for([60, 'Wed, 21 Oct 2099 07:28:00 GMT'])(
  'does not wait past the deadline for a Retry-After of %s',
  async retryAfterSeconds => {
    await ask('warm')
    world.looker.faults.inject({ kind: 'too-many-requests', retryAfterSeconds })
    const refused = await ask('hasty')
    expect(refused).toMatchObject({ status: 503, body: { type: UNAVAILABLE } })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(60)
    const calls = world.looker.calls.count()
    expect((await ask('other')).status).toBe(503)
    expect(world.looker.calls.count()).toBe(calls)
    // However long Looker, or what stands before it, asks for: it is tried again after five minutes.
    world.advance(301)
    expect((await ask('later')).status).toBe(200)
  },
)

test('gives up on Looker after it asked for a pause four times', async () => {
  await ask('warm')
  world.looker.faults.inject({ kind: 'too-many-requests', retryAfterSeconds: 0, ...FOR_EVER })
  world.looker.calls.reset()
  expect((await ask('unwanted')).status).toBe(503)
  expect(world.looker.calls.count()).toBe(4)
})

test.for(['with a service token', 'before the first service token'])(
  'opens the breaker after five failures %s, and closes it again',
  async when => {
    if (when === 'with a service token') await ask('warm')
    world.looker.faults.inject({ kind: 'server-error', ...FOR_EVER })
    for (let count = 0; count < 5; count++) expect((await ask(`person-${count}`)).status).toBe(502)
    world.looker.calls.reset()
    for (let count = 0; count < 5; count++) {
      const refused = await ask('refused')
      expect(refused).toMatchObject({ status: 503, body: { type: UNAVAILABLE } })
      expect(refused.headers.get('retry-after')).toBe('5')
    }
    expect((await exchanged(sidecar, await world.subject('refused'))).status).toBe(503)
    expect(world.looker.calls.count()).toBe(0)

    // One goes ahead and finds it still down; the others go on being refused.
    world.advance(5)
    const statuses = await Promise.all(['a', 'b', 'c'].map(async id => (await ask(id)).status))
    expect(statuses).toContain(502)
    expect(statuses.filter(status => status !== 502 && status !== 503)).toEqual([])
    expect(world.looker.calls.count()).toBe(1)

    world.looker.faults.clear()
    world.advance(5)
    expect((await ask('back')).status).toBe(200)
    expect((await Promise.all(['a', 'b', 'c'].map(ask))).map(({ status }) => status)).toEqual([200, 200, 200])
  },
)

test('a probe that is asked for a pause waits for it, and closes the breaker', async () => {
  await ask('warm')
  world.looker.faults.inject({ kind: 'server-error', times: 5 })
  for (let count = 0; count < 5; count++) await ask(`person-${count}`)
  world.advance(5)
  world.looker.faults.inject({ kind: 'too-many-requests', retryAfterSeconds: 1 })
  const started = performance.now()
  expect((await ask('probe')).status).toBe(200)
  expect(performance.now() - started).toBeGreaterThanOrEqual(950)
})

test('a probe that is asked for a long pause says how long, and nobody hears of the breaker any more', async () => {
  await ask('warm')
  world.looker.faults.inject({ kind: 'server-error', times: 5 })
  for (let count = 0; count < 5; count++) await ask(`person-${count}`)
  world.advance(5)
  world.looker.faults.inject({ kind: 'too-many-requests', retryAfterSeconds: 60 })
  for (const id of ['probe', 'other']) {
    const refused = await ask(id)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '60'])
  }
  world.advance(60)
  expect((await ask('later')).status).toBe(200)
})

test('closes the breaker again although the service token lapsed while it was open', async () => {
  await ask('warm')
  world.looker.faults.inject({ kind: 'server-error', ...FOR_EVER })
  for (let count = 0; count < 5; count++) await ask(`person-${count}`)
  expect((await ask('refused')).status).toBe(503)
  world.looker.faults.clear()
  world.advance(4000)
  expect((await ask('back')).status).toBe(200)
})

test('answers at the deadline when Looker hangs', async () => {
  const hasty = await world.sidecar(lookerSection(world, { timeoutSeconds: 1 }))
  await lookerToken(hasty, await world.subject('warm'))
  world.looker.faults.inject({ kind: 'hang', operation: 'login_user', times: 2 })
  const started = performance.now()
  const refused = await lookerToken(hasty, await world.subject('hung'))
  expect(performance.now() - started).toBeGreaterThanOrEqual(900)
  expect(performance.now() - started).toBeLessThan(8000)
  expect(refused).toMatchObject({ status: 504, body: { type: UNAVAILABLE } })
  expect(await exchanged(hasty, await world.subject('hung'))).toMatchObject({
    status: 503,
    body: { error: 'temporarily_unavailable', problem: UNAVAILABLE },
  })
  expect((await lookerToken(hasty, await world.subject('hung'))).status).toBe(200)
})

test.for([
  { kind: 'reset' },
  { kind: 'cut' },
  { kind: 'server-error', status: 503 },
  { kind: 'answer', status: 502, body: '<html>Bad Gateway</html>' },
] as const)('answers 502 for $kind, without telling why, and goes on after', async fault => {
  await ask('warm')
  world.looker.faults.inject({ ...fault, operation: 'login_user' })
  const refused = await ask('struck')
  expect(refused).toMatchObject({ status: 502, body: { type: UNAVAILABLE } })
  expect(refused.headers.get('retry-after')).toBe('2')
  expect(JSON.stringify(refused.body)).not.toMatch(/127\.0\.0\.1|ECONN|socket|at /)
  expect((await ask('struck')).status).toBe(200)
})

test('reads an answer that comes in small pieces', async () => {
  world.looker.faults.inject({ kind: 'drip', operation: 'login_user', everyMilliseconds: 5, bytes: 7 })
  expect((await ask('drop by drop')).status).toBe(200)
})

test('refuses with 503 and a time to try again when it waited too long for its turn', async () => {
  const narrow = await world.sidecar(lookerSection(world, { timeoutSeconds: 1, maxConcurrent: 1 }))
  await lookerToken(narrow, await world.subject('warm'))
  world.looker.faults.inject({ kind: 'delay', operation: 'login_user', milliseconds: 700, ...FOR_EVER })
  const answers = await Promise.all(
    Array.from({ length: 6 }, async (_, index) => lookerToken(narrow, await world.subject(`queued-${index}`))),
  )
  const busy = answers.filter(({ status }) => status === 503)
  expect(busy.length).toBeGreaterThan(0)
  expect(answers.filter(({ status }) => status === 200).length + busy.length).toBe(answers.length)
  for (const { body, headers } of busy) {
    expect(body['type']).toBe('urn:sallyport:problem:overloaded')
    expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
  }
})
