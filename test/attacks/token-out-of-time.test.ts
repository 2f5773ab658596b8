import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TokenRejection } from '../../src/core/failure.ts'
import { ACCEPTED, present, rejected, signText, textOf } from '../support/tokens.ts'
import { createTurnedClock } from '../support/turned-clock.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

const clock = createTurnedClock()
const now = Math.floor(clock.now() / 1000)
let world: World
let sidecar: Sidecar
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.sidecar({}, { clock })
})
afterAll(() => world.close())

const cases: [Record<string, unknown>, TokenRejection][] = [
  [{ exp: undefined }, 'missing-claim'],
  [{ exp: null }, 'bad-claim'],
  [{ exp: String(now + 3600) }, 'bad-claim'],
  [{ exp: [now + 3600] }, 'bad-claim'],
  [{ exp: true }, 'bad-claim'],
  [{ exp: 1e300 }, 'bad-claim'],
  [{ exp: (now + 3600) * 1000 }, 'bad-claim'],
  [{ exp: -1 }, 'bad-claim'],
  [{ exp: 0 }, 'expired'],
  [{ exp: now - 3600 }, 'expired'],
  [{ nbf: now + 3600 }, 'not-yet-valid'],
  [{ nbf: String(now) }, 'bad-claim'],
  [{ nbf: null }, 'bad-claim'],
  [{ iat: now + 3600 }, 'not-yet-valid'],
  [{ iat: 1e300 }, 'bad-claim'],
  [{ iat: 'now' }, 'bad-claim'],
]

test.for(cases)('11 a token with %o is 401, %s', async ([claims, reason]) => {
  expect(await present(world, sidecar, await world.issuer.sign(claims))).toEqual(rejected(reason))
})

test('11 an exp beyond all numbers, as only raw JSON can say it, is 401', async () => {
  const [key] = world.issuer.signingKeys
  const { header, payload } = textOf(await world.issuer.sign({ exp: 0 }))
  const endless = payload.replace('"exp":0', '"exp":1e999')
  expect(endless).not.toBe(payload)
  expect(await present(world, sidecar, signText(header, endless, key ?? {}))).toEqual(rejected('bad-claim'))
})

test('11 clocks of issuers may be 60 seconds off in either direction, and no more', async () => {
  const within = [{ exp: now - 58 }, { nbf: now + 59 }, { iat: now + 59 }]
  for (const claims of within) {
    expect(await present(world, sidecar, await world.issuer.sign(claims)), JSON.stringify(claims)).toMatchObject(
      ACCEPTED,
    )
  }
  expect(await present(world, sidecar, await world.issuer.sign({ exp: now - 61 }))).toEqual(rejected('expired'))
  for (const claims of [{ nbf: now + 62 }, { iat: now + 62 }]) {
    expect(await present(world, sidecar, await world.issuer.sign(claims))).toEqual(rejected('not-yet-valid'))
  }
})

test('11 a token that was accepted a moment ago is not accepted when its time is over', async () => {
  const turned = createTurnedClock()
  const other = await world.sidecar({}, { clock: turned })
  const token = await world.issuer.sign({ exp: now + 20 })
  expect(await present(world, other, token)).toMatchObject(ACCEPTED)
  turned.turn({ seconds: 82 })
  expect(await present(world, other, token)).toEqual(rejected('expired'))
})
