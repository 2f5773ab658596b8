import { afterAll, beforeAll, expect, test } from 'vitest'
import { type DemoIssuer, startIssuer } from '../../demo/issuer/issuer.ts'
import { ACCEPTED, present, rejected } from '../support/tokens.ts'
import { json, type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
let partner: DemoIssuer
let stranger: DemoIssuer
beforeAll(async () => {
  ;[world, partner, stranger] = await Promise.all([startWorld(), startIssuer(), startIssuer()])
  sidecar = await world.sidecar({
    issuers: [
      { name: 'corp', issuer: world.issuer.issuer, audiences: ['sallyport'] },
      { name: 'partner', issuer: partner.issuer, audiences: ['sallyport-for-partners'] },
    ],
  })
})
afterAll(() => Promise.all([world.close(), partner.close(), stranger.close()]))

test('12 a token of an issuer that is not configured is 401, and that issuer is not asked', async () => {
  const before = { ...stranger.hits }
  expect(await present(world, sidecar, await stranger.sign())).toEqual(rejected('unknown-issuer'))
  expect(stranger.hits).toMatchObject(before)
})

test('12 an iss that differs by anything at all is 401', async () => {
  const { issuer } = world.issuer
  const variants = [
    `${issuer}/`,
    `${issuer}//`,
    `${issuer}?`,
    `${issuer}#`,
    ` ${issuer}`,
    `${issuer} `,
    issuer.replace('http', 'HTTP'),
    issuer.replace('http:', 'https:'),
    issuer.replace('127.0.0.1', 'localhost'),
    issuer.replace('http://', ''),
    `${issuer}.evil.example`,
    'corp',
    '',
    null,
    undefined,
    [issuer],
    { issuer },
  ]
  for (const iss of variants) {
    const outcome = await present(world, sidecar, await world.issuer.sign({ iss }))
    expect(outcome, JSON.stringify(iss)).toEqual(rejected('unknown-issuer'))
  }
})

test('17 two issuers share a kid, and each one’s people come in as its own', async () => {
  expect(partner.signingKeys[0]?.kid).toBe(world.issuer.signingKeys[0]?.kid)
  for (const [issuer, name, audience] of [
    [world.issuer, 'corp', 'sallyport'],
    [partner, 'partner', 'sallyport-for-partners'],
  ] as const) {
    const authorization = `Bearer ${await issuer.sign({ aud: audience })}`
    const session = await json(sidecar.fetch('/sallyport/session', { headers: { authorization } }))
    expect(session).toMatchObject({ subject: 'ana', issuer: name })
  }
})

test('17 a key signs for its own issuer only, whatever the token says and whichever comes first', async () => {
  const crossed = [
    await partner.sign({ iss: world.issuer.issuer, aud: 'sallyport' }),
    await world.issuer.sign({ iss: partner.issuer, aud: 'sallyport-for-partners' }),
  ]
  for (const token of [...crossed, ...crossed]) {
    expect(await present(world, sidecar, token)).toEqual(rejected('signature'))
  }
})

test('17 the audience of one issuer is not that of another', async () => {
  expect(await present(world, sidecar, await partner.sign({ aud: 'sallyport' }))).toEqual(rejected('audience'))
  const other = await world.issuer.sign({ aud: 'sallyport-for-partners' })
  expect(await present(world, sidecar, other)).toEqual(rejected('audience'))
})

test('17 a token remembered for one issuer is worth nothing with the iss of the other', async () => {
  const token = await world.issuer.sign()
  expect(await present(world, sidecar, token)).toMatchObject(ACCEPTED)
  const [header = '', payload = '', signature = ''] = token.split('.')
  const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString())
  const moved = { ...(claims as object), iss: partner.issuer, aud: 'sallyport-for-partners' }
  const forged = [header, Buffer.from(JSON.stringify(moved)).toString('base64url'), signature].join('.')
  expect(await present(world, sidecar, forged)).toEqual(rejected('signature'))
})

test('17 a key that one issuer rotated in is not a key of the other', async () => {
  await stranger.rotateKeys()
  const both = await world.sidecar({
    issuers: [world.issuer, stranger].map(({ issuer }, at) => ({ name: `n${at}`, issuer, audiences: ['sallyport'] })),
  })
  expect(await present(world, both, await stranger.sign())).toMatchObject(ACCEPTED)
  const crossed = await stranger.sign({ iss: world.issuer.issuer })
  expect(await present(world, both, crossed)).toEqual(rejected('unknown-key'))
})
