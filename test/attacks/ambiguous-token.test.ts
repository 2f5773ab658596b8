import { afterAll, beforeAll, expect, test } from 'vitest'
import type { SigningKey } from '../../demo/issuer/keys.ts'
import { ACCEPTED, present, rejected, signText, textOf } from '../support/tokens.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
let key: SigningKey
let good: string
let header: string
let payload: string
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.sidecar()
  ;[key] = world.issuer.signingKeys as [SigningKey]
  good = await world.issuer.sign()
  ;({ header, payload } = textOf(good))
})
afterAll(() => world.close())

test('9 what these tokens are made from is a good token', async () => {
  expect(await present(world, sidecar, signText(header, payload, key))).toMatchObject(ACCEPTED)
})

test.for([
  ['padding', () => good.replace('.', '=.')],
  ['padding at its end', () => `${good}==`],
  ['the other base64 alphabet', () => `${good.slice(0, -10)}+/${good.slice(-8)}`],
  ['a letter beyond ASCII', () => `${good.slice(0, -1)}é`],
  ['a percent-escape', () => good.replace('.', '%2E')],
  ['a fourth part', () => `${good}.AAAA`],
  ['five parts, as an encrypted token has', () => `${good}.AAAA.AAAA`],
  ['an empty payload', () => good.replace(/\..*\./, '..')],
  ['a dot in front', () => `.${good}`],
  ['a comma and a second token', () => `${good},${good}`],
  ['quotes', () => `"${good}"`],
] as const)('9 a token with %s is 401', async ([, token]) => {
  expect(await present(world, sidecar, token())).toEqual(rejected('malformed'))
})

test('9 white space in a token or, other than plain spaces, around it is 401', async () => {
  const spaced = [good.replace('.', ' .'), good.replace('.', '\t.'), `\u00a0${good}`, `${good}\u00a0`, `\t${good}`]
  for (const token of spaced) {
    expect(await present(world, sidecar, token), JSON.stringify(token)).toEqual(rejected('malformed'))
  }
})

test('9 the JSON serialisations of a JWS are 401', async () => {
  const [first, second, third] = good.split('.')
  const flattened = JSON.stringify({ payload: second, protected: first, signature: third })
  const general = JSON.stringify({ payload: second, signatures: [{ protected: first, signature: third }] })
  for (const token of [flattened, general, Buffer.from(flattened).toString('base64url')]) {
    expect(await present(world, sidecar, token)).toEqual(rejected('malformed'))
  }
})

test('9 base64url with spare bits set is 401: two spellings of one token would be two tokens', async () => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  // 256 bytes leave the last letter of the signature with spare bits.
  const last = alphabet.indexOf(good.at(-1) ?? '')
  const spelledOtherwise = `${good.slice(0, -1)}${alphabet[last + 1]}`
  const bytesOf = (token: string): Buffer => Buffer.from(token.slice(token.lastIndexOf('.') + 1), 'base64url')
  expect(bytesOf(spelledOtherwise)).toEqual(bytesOf(good))
  expect(await present(world, sidecar, spelledOtherwise)).toEqual(rejected('malformed'))
})

test.for([
  ['the header is no object', () => signText('["RS256"]', payload, key)],
  ['the payload is no object', () => signText(header, '"ana"', key)],
  ['the payload is null', () => signText(header, 'null', key)],
  ['the payload is no JSON', () => signText(header, `${payload},`, key)],
  ['there is something before the JSON', () => signText(header, `\uFEFF${payload}`, key)],
  ['the payload is no UTF-8', () => signText(header, Buffer.from(payload.replace('Ana', '\xff'), 'latin1'), key)],
] as const)('9 a well-signed token where %s is 401', async ([, token]) => {
  expect(await present(world, sidecar, token())).toEqual(rejected('malformed'))
})

const twice = (json: string, member: string): string => `{${member},${json.slice(1)}`

test.for([
  ['sub', () => signText(header, twice(payload, '"sub":"vic"'), key)],
  ['sub, the second spelled with an escape', () => signText(header, twice(payload, '"\\u0073ub":"vic"'), key)],
  ['exp, with the same value', () => signText(header, twice(payload, `"exp":${expOf(payload)}`), key)],
  ['a member inside another', () => signText(header, twice(payload, '"realm":{"roles":["a"],"roles":["b"]}'), key)],
  ['a member inside a list', () => signText(header, twice(payload, '"list":[1,{"a":1,"b":"}","a":2}]'), key)],
  ['alg in the header', () => signText(twice(header, '"alg":"none"'), payload, key)],
  ['kid in the header', () => signText(twice(header, '"kid":"other"'), payload, key)],
] as const)('10 a well-signed token that has %s twice is 401', async ([, token]) => {
  expect(await present(world, sidecar, token())).toEqual(rejected('malformed'))
})

test('10 one name in two places, or as a value, is not a repetition', async () => {
  const members = '"a":{"sub":"x"},"b":[{"sub":"y"},{"sub":"z"}],"c":"sub","d":["sub","sub"],"e":"\\",\\"sub\\":1"'
  expect(await present(world, sidecar, signText(header, twice(payload, members), key))).toMatchObject(ACCEPTED)
})

function expOf(json: string): number {
  return (JSON.parse(json) as { exp: number }).exp
}
