import { afterAll, beforeAll, expect, test } from 'vitest'
import { ACCEPTED, present, rejected, send } from '../support/tokens.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.sidecar()
})
afterAll(() => world.close())

const KIB_8 = 8192

/** A good token of the given length, or up to three characters less. */
async function tokenOf(length: number, header: Record<string, unknown> = {}): Promise<string> {
  const bare = (await world.issuer.sign({ padding: '' }, { header })).length
  return world.issuer.sign({ padding: 'x'.repeat(Math.floor(((length - bare) * 3) / 4)) }, { header })
}

test('18 a token over 8 KiB is 401 before its key is even looked for', async () => {
  const before = world.issuer.hits.jwks
  const token = await tokenOf(KIB_8 + 8, { kid: 'unknown' })
  expect(token.length).toBeGreaterThan(KIB_8)
  expect(await present(world, sidecar, token)).toEqual(rejected('too-long'))
  expect(world.issuer.hits.jwks).toBe(before)
})

test('18 a token of just under 8 KiB is accepted', async () => {
  const token = await tokenOf(KIB_8)
  expect(token.length).toBeGreaterThan(KIB_8 - 8)
  expect(token.length).toBeLessThanOrEqual(KIB_8)
  expect(await present(world, sidecar, token)).toMatchObject(ACCEPTED)
})

test('18 a token over 8 KiB is refused at the token endpoint as well', async () => {
  const answer = await sidecar.exchange(await tokenOf(KIB_8 + 8))
  expect(answer.status).toBe(400)
  expect(await answer.json()).toMatchObject({
    error: 'invalid_request',
    problem: 'urn:sallyport:problem:invalid-token',
  })
})

test('18 a header of more than the listener takes is 431 and nothing else', async () => {
  const answer = await sidecar.fetch('/headers', { headers: { authorization: `Bearer ${'a'.repeat(64 * 1024)}` } })
  expect(answer.status).toBe(431)
  // The next request is served as ever.
  const next = await send(world, sidecar, { authorization: `Bearer ${await world.issuer.sign()}` })
  expect(next).toMatchObject(ACCEPTED)
})
