import { afterAll, beforeAll, expect, test } from 'vitest'
import { CREDENTIALS } from '../../demo/issuer/clients.ts'
import { ACCEPTED, present, rejected } from '../support/tokens.ts'
import { startPlainIssuer } from '../support/plain-issuer.ts'
import { createTurnedClock, type TurnedClock } from '../support/turned-clock.ts'
import { json, type Sidecar, startWorld, type World } from '../support/world.ts'

const { clientId, clientSecret } = CREDENTIALS.resourceServer
const introspection = { clientId, clientSecret: { fromEnv: 'RS_SECRET' } }
const env = { RS_SECRET: clientSecret }

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

async function start(): Promise<{ sidecar: Sidecar; clock: TurnedClock; asked: () => number }> {
  const clock = createTurnedClock()
  const issuers = [{ name: 'corp', issuer: world.issuer.issuer, audiences: ['sallyport'], introspection }]
  const sidecar = await world.sidecar({ issuers }, { clock, env })
  const before = world.issuer.hits.introspection
  return { sidecar, clock, asked: () => world.issuer.hits.introspection - before }
}

test('JWT and opaque tokens of one sign-in page name the same person', async () => {
  const { sidecar, asked } = await start()
  for (const format of ['jwt', 'opaque'] as const) {
    const { accessToken } = await world.issuer.signIn('ana', { format })
    expect(accessToken.split('.')).toHaveLength(format === 'jwt' ? 3 : 1)
    const authorization = `Bearer ${accessToken}`
    expect(await json(sidecar.fetch('/sallyport/session', { headers: { authorization } }))).toMatchObject({
      subject: 'ana',
      email: 'ana@example.com',
      groups: ['analytics'],
      issuer: 'corp',
      grant: 'explorer',
    })
  }
  expect(asked()).toBe(1)
})

test('an opaque token is exchanged for a Looker token', async () => {
  const { sidecar } = await start()
  const { accessToken } = await world.issuer.signIn('vic', { format: 'opaque' })
  expect(await json(sidecar.exchange(accessToken))).toMatchObject({ token_type: 'Bearer', scope: 'viewer' })
})

test('an opaque token is 401 where no issuer offers introspection, and nobody is asked', async () => {
  const sidecar = await world.sidecar()
  const before = world.issuer.hits.introspection
  const { accessToken } = await world.issuer.signIn('ana', { format: 'opaque' })
  expect(await present(world, sidecar, accessToken)).toEqual(rejected('malformed'))
  expect(world.issuer.hits.introspection).toBe(before)
})

test('a verdict is remembered for a minute, and requests at one time share one question', async () => {
  const { sidecar, clock, asked } = await start()
  const { accessToken } = await world.issuer.signIn('ana', { format: 'opaque' })
  const outcomes = await Promise.all(Array.from({ length: 10 }, () => present(world, sidecar, accessToken)))
  for (const outcome of outcomes) expect(outcome).toMatchObject(ACCEPTED)
  expect(asked()).toBe(1)
  clock.turn({ seconds: 59 })
  expect(await present(world, sidecar, accessToken)).toMatchObject(ACCEPTED)
  expect(asked()).toBe(1)
  clock.turn({ seconds: 1 })
  expect(await present(world, sidecar, accessToken)).toMatchObject(ACCEPTED)
  expect(asked()).toBe(2)
})

test('25 a token revoked at the issuer is 401 within a minute', async () => {
  const { sidecar, clock } = await start()
  const { accessToken } = await world.issuer.signIn('ana', { format: 'opaque' })
  expect(await present(world, sidecar, accessToken)).toMatchObject(ACCEPTED)
  const revocation = await fetch(`${world.issuer.issuer}/token/revocation`, {
    method: 'POST',
    body: new URLSearchParams({ token: accessToken, client_id: CREDENTIALS.cli.clientId }),
  })
  expect(revocation.status).toBe(200)
  clock.turn({ minutes: 1 })
  expect(await present(world, sidecar, accessToken)).toEqual(rejected('inactive'))
})

test('25 a flood of one token that nobody knows is one question in five seconds', async () => {
  const { sidecar, clock, asked } = await start()
  for (let time = 0; time < 5; time++) {
    expect(await present(world, sidecar, 'never-issued')).toEqual(rejected('inactive'))
  }
  expect(asked()).toBe(1)
  clock.turn({ seconds: 5 })
  expect(await present(world, sidecar, 'never-issued')).toEqual(rejected('inactive'))
  expect(asked()).toBe(2)
})

test('25 a positive answer is kept until exp at most, not a minute', async () => {
  const issuer = await startPlainIssuer()
  try {
    const clock = createTurnedClock()
    const issuers = [{ name: 'plain', issuer: issuer.issuer, audiences: ['sallyport'], introspection }]
    const sidecar = await world.sidecar({ issuers }, { clock, env })
    const exp = Math.floor(clock.now() / 1000) + 20
    issuer.answer('introspection', { body: issuer.claims({ active: true, exp }) })
    expect(await present(world, sidecar, 'opaque')).toMatchObject(ACCEPTED)
    issuer.answer('introspection', { body: { active: false } })
    clock.turn({ seconds: 18 })
    expect(await present(world, sidecar, 'opaque')).toMatchObject(ACCEPTED)
    clock.turn({ seconds: 2 })
    expect(await present(world, sidecar, 'opaque')).toEqual(rejected('inactive'))
  } finally {
    await issuer.close()
  }
})

test('a remembered verdict ends when the issuer’s keys change', async () => {
  const { sidecar, asked } = await start()
  const { accessToken } = await world.issuer.signIn('ana', { format: 'opaque' })
  expect(await present(world, sidecar, accessToken)).toMatchObject(ACCEPTED)
  await world.issuer.rotateKeys()
  // The sidecar learns of the rotation by the first token of the new key.
  expect(await present(world, sidecar, await world.issuer.sign())).toMatchObject(ACCEPTED)
  expect(await present(world, sidecar, accessToken)).toMatchObject(ACCEPTED)
  expect(asked()).toBe(2)
})

test('of two issuers with introspection, the one that knows the token decides, and one that is away does not hide it', async () => {
  const [first, second] = await Promise.all([startPlainIssuer(), startPlainIssuer()])
  try {
    const issuers = [first, second].map(({ issuer }, at) => ({
      name: `n${at}`,
      issuer,
      audiences: ['sallyport'],
      introspection,
    }))
    const sidecar = await world.sidecar({ issuers }, { env })
    second.answer('introspection', { body: second.claims({ active: true }) })
    const authorization = 'Bearer known-to-the-second'
    const session = await json(sidecar.fetch('/sallyport/session', { headers: { authorization } }))
    expect(session).toMatchObject({ subject: 'ana', issuer: 'n1' })
    first.answer('introspection', { status: 500, body: '' })
    expect(await present(world, sidecar, 'known-to-the-second-too')).toMatchObject(ACCEPTED)
    // Nobody knows it, but one could not be asked: that is no verdict.
    second.answer('introspection', { body: { active: false } })
    expect(await present(world, sidecar, 'known-to-nobody')).toMatchObject({ status: 503, forwarded: false })
  } finally {
    await Promise.all([first.close(), second.close()])
  }
})
