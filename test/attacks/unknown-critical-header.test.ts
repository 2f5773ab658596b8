import { afterAll, beforeAll, expect, test } from 'vitest'
import { present, rejected, signText, textOf } from '../support/tokens.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.sidecar()
})
afterAll(() => world.close())

test.for([
  { crit: ['exp'], exp: 4_000_000_000 },
  { crit: ['http://example.com/unknown'], 'http://example.com/unknown': true },
  { crit: [] },
  { crit: 'b64' },
  { crit: null },
  { crit: ['b64'], b64: true },
  { b64: false },
  { b64: true },
])('6 a well-signed token with the header %j is 401', async header => {
  const token = await world.issuer.sign({}, { header })
  expect(await present(world, sidecar, token)).toEqual(rejected('critical-header'))
})

test('6 a payload that is not encoded (RFC 7797) is 401', async () => {
  const { header, payload } = textOf(await world.issuer.sign({}, { header: { b64: false, crit: ['b64'] } }))
  const [first, , signature] = signText(header, payload, keyOf(world)).split('.')
  expect(await present(world, sidecar, `${first}.${encodeURIComponent(payload)}.${signature}`)).toEqual(
    rejected('malformed'),
  )
})

function keyOf({ issuer }: World) {
  const [key] = issuer.signingKeys
  if (key === undefined) throw new Error('the issuer has no key')
  return key
}
