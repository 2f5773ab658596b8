import { afterAll, beforeAll, expect, test } from 'vitest'
import { exchanged, lookerToken, startTurnableWorld, type TurnableWorld } from './turnable.ts'

let world: TurnableWorld
beforeAll(async () => {
  world = await startTurnableWorld()
})
afterAll(() => world.close())

test.for([0, -1, 'abc', '3600', 1e300, 2_592_001, true, [3600], null, undefined])(
  'refuses a token that Looker says lives for %j seconds',
  async value => {
    const sidecar = await world.sidecar()
    const subject = await world.subject(`person-${JSON.stringify(value)}`)
    world.looker.faults.inject({
      kind: 'expires-in',
      operation: 'login_user',
      ...(value === undefined ? {} : { value }),
    })
    const refused = await exchanged(sidecar, subject)
    expect(refused.status).toBe(503)
    expect(refused.body).toMatchObject({
      error: 'temporarily_unavailable',
      problem: 'urn:sallyport:problem:looker-unavailable',
    })
    expect(refused.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    expect(await exchanged(sidecar, subject)).toMatchObject({ status: 200, expiresIn: 3590 })
  },
)

test('refuses a service token that lives for nonsense, and asks for another', async () => {
  const sidecar = await world.sidecar()
  world.looker.faults.inject({ kind: 'expires-in', operation: 'login', value: -1 })
  const subject = await world.subject('ana')
  expect((await lookerToken(sidecar, subject)).status).toBe(502)
  expect((await lookerToken(sidecar, subject)).status).toBe(200)
})

const OPERATIONS = ['login', 'login_user', 'user_for_credential']
const BODIES = ['null', '[]', '"text"', '<html>a proxy speaks</html>', '', '{"access_token":"", "expires_in":3600}']
test.for(OPERATIONS.flatMap(operation => BODIES.map(body => ({ operation, body }))))(
  'answers 502, and no internal error, when $operation answers 200 with "$body"',
  async ({ operation, body }) => {
    const sidecar = await world.sidecar()
    const subject = await world.subject(`${operation} ${body}`)
    world.looker.faults.inject({ kind: 'answer', operation, status: 200, body })
    const refused = await lookerToken(sidecar, subject)
    expect(refused.status).toBe(502)
    expect(refused.body['type']).toBe('urn:sallyport:problem:looker-unavailable')
    expect((await lookerToken(sidecar, subject)).status).toBe(200)
  },
)

test('takes no answer of more than four megabytes', async () => {
  const sidecar = await world.sidecar()
  world.looker.faults.inject({
    kind: 'answer',
    operation: 'login_user',
    status: 200,
    body: JSON.stringify({ access_token: 'x'.repeat(5_000_000), expires_in: 3600 }),
  })
  const subject = await world.subject('flooded')
  expect((await lookerToken(sidecar, subject)).status).toBe(502)
  expect((await lookerToken(sidecar, subject)).status).toBe(200)
})
