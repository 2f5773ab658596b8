import { afterAll, beforeAll, expect, test } from 'vitest'
import { present, rejected } from '../support/tokens.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.sidecar()
})
afterAll(() => world.close())

const SPELLINGS = ['none', 'None', 'NONE', 'nOnE']

test.for(SPELLINGS)('2 alg %s without a signature is 401', async alg => {
  const token = await world.issuer.sign({}, { header: { alg } })
  expect(token).toMatch(/\.$/)
  expect(await present(world, sidecar, token)).toEqual(rejected('malformed'))
  expect(await present(world, sidecar, token.slice(0, -1))).toEqual(rejected('malformed'))
})

test.for(SPELLINGS)('2 alg %s beside the signature of a good token is 401', async alg => {
  const [, , signature] = (await world.issuer.sign()).split('.')
  const token = `${await world.issuer.sign({}, { header: { alg } })}${signature}`
  expect(await present(world, sidecar, token)).toEqual(rejected('algorithm'))
})

test.for([{}, { alg: '' }, { alg: null }, { alg: 0 }, { alg: ['RS256'] }, { alg: ' RS256' }, { alg: 'rs256' }])(
  '2 %j is no algorithm and 401',
  async header => {
    const token = await world.issuer.sign({}, { header: { alg: undefined, ...header } })
    expect(await present(world, sidecar, token)).toEqual(rejected('algorithm'))
  },
)

test('2 a signature that was changed, cut or taken from another token is 401', async () => {
  const token = await world.issuer.sign()
  const other = await world.issuer.sign({ sub: 'vic' })
  const signature = token.slice(token.lastIndexOf('.') + 1)
  const body = token.slice(0, token.lastIndexOf('.'))
  const changed = `${signature[0] === 'A' ? 'B' : 'A'}${signature.slice(1)}`
  for (const forged of [changed, signature.slice(4), `AAAA${signature}`, other.split('.')[2]]) {
    expect(await present(world, sidecar, `${body}.${forged}`)).toEqual(rejected('signature'))
  }
})
