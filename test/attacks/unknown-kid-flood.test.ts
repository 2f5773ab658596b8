import { afterAll, beforeAll, expect, test } from 'vitest'
import { ACCEPTED, present, rejected } from '../support/tokens.ts'
import { createTurnedClock } from '../support/turned-clock.ts'
import { startWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

test('7 a thousand unknown kids are one fetch of the keys a cool-down, and good tokens pass all the while', async () => {
  const clock = createTurnedClock()
  const sidecar = await world.sidecar({}, { clock })
  const template = await world.issuer.sign()
  const payloadAndSignature = template.slice(template.indexOf('.'))
  const flood = async (count: number, name: string, status = 401): Promise<void> => {
    const answers = await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const header = JSON.stringify({ alg: 'RS256', typ: 'at+jwt', kid: `${name}-${index}` })
        const token = `${Buffer.from(header).toString('base64url')}${payloadAndSignature}`
        const response = await sidecar.fetch('/headers', { headers: { authorization: `Bearer ${token}` } })
        await response.body?.cancel()
        return response.status
      }),
    )
    expect(new Set(answers)).toEqual(new Set([status]))
  }

  const before = world.issuer.hits.jwks
  for (let part = 0; part < 10; part++) await flood(100, `flood-${part}`)
  expect(world.issuer.hits.jwks).toBe(before + 1)
  expect(await present(world, sidecar, await world.issuer.sign())).toMatchObject(ACCEPTED)

  clock.turn({ seconds: 9 })
  await flood(10, 'too-early')
  expect(world.issuer.hits.jwks).toBe(before + 1)
  clock.turn({ seconds: 1 })
  await flood(100, 'next')
  expect(world.issuer.hits.jwks).toBe(before + 2)

  // An issuer that is in trouble is left alone just the same.
  clock.turn({ seconds: 10 })
  world.issuer.fail('jwks', 'error')
  for (let part = 0; part < 10; part++) await flood(100, `trouble-${part}`, 503)
  expect(world.issuer.hits.jwks).toBe(before + 3)
  expect(await present(world, sidecar, await world.issuer.sign())).toMatchObject(ACCEPTED)
  world.issuer.clear()
})

test('8 a kid that is a path, a query or a name of JavaScript is a kid that nobody has: 401', async () => {
  const sidecar = await world.sidecar()
  const kids = [
    '../../../../dev/null',
    '/proc/self/environ',
    'file:///etc/passwd',
    "' OR '1'='1",
    "key-1' UNION SELECT 'secret' --",
    'key-1; DROP TABLE keys',
    '__proto__',
    'constructor',
    'toString',
    '',
    'KEY-1',
    ' key-1',
    'key-1\u0000',
    '$(id)',
  ]
  for (const kid of kids) {
    const token = await world.issuer.sign({}, { header: { kid } })
    expect(await present(world, sidecar, token), kid).toEqual(rejected('unknown-key'))
  }
})

test('8 a kid that is no text is 401', async () => {
  const sidecar = await world.sidecar()
  for (const kid of [null, 1, true, ['key-1'], { kid: 'key-1' }]) {
    const token = await world.issuer.sign({}, { header: { kid } })
    expect(await present(world, sidecar, token), JSON.stringify(kid)).toEqual(rejected('malformed'))
  }
})
