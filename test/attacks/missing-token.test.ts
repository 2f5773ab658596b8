import { afterAll, beforeAll, expect, test } from 'vitest'
import { ACCEPTED, rejected, send } from '../support/tokens.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.sidecar()
})
afterAll(() => world.close())

const NOBODY = {
  status: 401,
  // RFC 6750 §3.1: the lack of a token is no error.
  challenge: 'Bearer',
  problem: 'urn:sallyport:problem:unauthenticated',
  reason: 'no-credentials',
  forwarded: false,
}

test.for(['/', '/headers', '/sallyport/session'])(
  '1 no token at %s is 401 with a Bearer challenge and no error code',
  async path => {
    expect(await send(world, sidecar, {}, path)).toEqual(NOBODY)
  },
)

test.for(['Bearer', 'Bearer ', 'Basic YW5hOnNlY3JldA==', 'Token abc', 'Bearerabc'])(
  '1 an Authorization of "%s" brings no token either',
  async authorization => {
    expect(await send(world, sidecar, { authorization })).toEqual(NOBODY)
  },
)

test('1 identity headers of the caller are not an identity', async () => {
  const headers = {
    'x-forwarded-user': 'ana',
    'x-forwarded-email': 'ana@example.com',
    'x-sallyport-assertion': 'a.b.c',
  }
  expect(await send(world, sidecar, headers)).toEqual(NOBODY)
})

test('24 an expired token is 401 invalid_token', async () => {
  const token = await world.issuer.sign({ exp: Math.floor(Date.now() / 1000) - 3600 })
  expect(await send(world, sidecar, { authorization: `Bearer ${token}` })).toEqual(rejected('expired'))
})

test.for(['bearer', 'BEARER', 'bEaReR', 'Bearer  '])('24 the scheme is accepted as "%s"', async scheme => {
  const headers = { authorization: `${scheme} ${await world.issuer.sign()}` }
  expect(await send(world, sidecar, headers)).toMatchObject(ACCEPTED)
})
