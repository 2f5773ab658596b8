import { writeFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { temporaryFile } from '../config/file.ts'
import { exchanged, lookerSection, lookerToken, startTurnableWorld, type TurnableWorld } from './turnable.ts'

let world: TurnableWorld
beforeEach(async () => {
  world = await startTurnableWorld()
})
afterEach(() => world.close())

const crowd = (prefix: string): Promise<string[]> =>
  Promise.all(Array.from({ length: 20 }, (_, index) => world.subject(`${prefix}-${index}`)))

test('logs in once for all who come at once', async () => {
  const sidecar = await world.sidecar()
  const answers = await Promise.all((await crowd('early')).map(subject => exchanged(sidecar, subject)))
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  expect(world.counts('login')).toEqual({ login: 1 })
})

test('is renewed once for all when Looker no longer takes the service token', async () => {
  const sidecar = await world.sidecar()
  await exchanged(sidecar, await world.subject('warm'))
  world.looker.revokeTokens(world.looker.serviceUserId)
  world.looker.calls.reset()
  const answers = await Promise.all((await crowd('later')).map(subject => exchanged(sidecar, subject)))
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  expect(world.counts('login')).toEqual({ login: 1 })
})

test('is renewed when the very first token is not taken', async () => {
  const sidecar = await world.sidecar()
  world.looker.faults.inject({ kind: 'unauthorized', operation: 'user_for_credential' })
  expect((await lookerToken(sidecar, await world.subject('first'))).status).toBe(200)
  expect(world.counts('login')).toEqual({ login: 2 })
})

test('is tried once more and no oftener when Looker takes no token at all', async () => {
  const sidecar = await world.sidecar()
  world.looker.faults.inject({
    kind: 'unauthorized',
    operation: 'user_for_credential',
    times: Number.POSITIVE_INFINITY,
  })
  expect((await lookerToken(sidecar, await world.subject('first'))).status).toBe(502)
  expect(world.counts('login', 'user_for_credential')).toEqual({ login: 2, user_for_credential: 2 })
})

test('is renewed ahead of its end, once, and behind everybody’s back', async () => {
  const sidecar = await world.sidecar()
  await exchanged(sidecar, await world.subject('warm'))
  world.looker.calls.reset()
  world.advance(3600 * 0.81)
  world.looker.faults.inject({ kind: 'delay', operation: 'login', milliseconds: 300 })
  const answers = await Promise.all((await crowd('middle')).map(subject => exchanged(sidecar, subject)))
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  expect(world.counts('login')).toEqual({ login: 1 })
})

test('that are wrong are 502, and the log says which keys to mend and not what is in them', async () => {
  const sidecar = await world.sidecar(lookerSection(world, { clientSecret: { fromEnv: 'WRONG_SECRET' } }), {
    env: { WRONG_SECRET: 'not-the-secret-of-looker' },
  })
  const refused = await lookerToken(sidecar, await world.subject('ana'))
  expect(refused).toMatchObject({ status: 502, body: { type: 'urn:sallyport:problem:looker-unavailable' } })
  expect(JSON.stringify(refused.body)).not.toContain('clientSecret')
  expect(await exchanged(sidecar, await world.subject('ana'))).toMatchObject({
    status: 503,
    body: { error: 'temporarily_unavailable' },
  })
  const line = sidecar
    .logText()
    .split('\n')
    .find(text => text.includes('looker.clientSecret'))
  expect(line).toContain('looker.clientId')
  expect(sidecar.logText()).not.toContain('not-the-secret-of-looker')
})

test('that are wrong are one login in five seconds, whoever asks, and mended ones are tried at once', async () => {
  const secretFile = temporaryFile('looker-secret', 'a typing mistake')
  const sidecar = await world.sidecar(lookerSection(world, { clientSecret: { fromFile: secretFile } }))
  const refusals = async (prefix: string): Promise<Set<number>> => {
    const statuses = new Set<number>()
    for (const subject of await crowd(prefix)) statuses.add((await lookerToken(sidecar, subject)).status)
    return statuses
  }
  expect(await refusals('first')).toEqual(new Set([502]))
  expect(world.counts('login')).toEqual({ login: 1 })
  world.advance(4.9)
  expect(await refusals('early')).toEqual(new Set([502]))
  expect(world.counts('login')).toEqual({ login: 1 })
  world.advance(0.1)
  expect(await refusals('later')).toEqual(new Set([502]))
  expect(world.counts('login')).toEqual({ login: 2 })

  writeFileSync(secretFile, world.looker.clientSecret)
  await vi.waitFor(() => expect(sidecar.logText()).toContain(`"file":"${secretFile}"`), 10_000)
  expect((await lookerToken(sidecar, await world.subject('first'))).status).toBe(200)
  expect(world.counts('login')).toEqual({ login: 3 })
})
