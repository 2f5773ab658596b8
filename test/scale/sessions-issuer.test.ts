import { expect, onTestFinished, test } from 'vitest'
import { whoIs } from '../support/sign-in.ts'
import { createTurnedClock, type TurnedClock } from '../support/turned-clock.ts'
import { json, type Sidecar, startWorld, type World } from '../support/world.ts'
import { createPeople, sessionEvents, signInAll, startReplicas } from './sessions.ts'

const ACCESS_TOKEN_MINUTES = 5
/** For a busy machine; either takes some seconds. */
const PATIENCE = { timeout: 60_000 }

async function start(count: number): Promise<{
  world: World
  clock: TurnedClock
  people: ReturnType<typeof createPeople>
  replicas: readonly [Sidecar, Sidecar]
  sessions: Map<string, string>
}> {
  const people = createPeople(count)
  const world = await startWorld({ issuer: { people, accessTokenLifeSeconds: ACCESS_TOKEN_MINUTES * 60 } })
  onTestFinished(() => world.close())
  const clock = createTurnedClock()
  const replicas = await startReplicas(world, clock)
  return { world, clock, people, replicas, sessions: await signInAll(replicas[0], people) }
}

test(
  'an issuer that is down for a minute when tokens lapse signs nobody out, and is asked once for each when it is back',
  PATIENCE,
  async () => {
    const { world, clock, people, replicas, sessions } = await start(12)
    const everybody = (): Promise<unknown[]> =>
      Promise.all(replicas.flatMap(replica => [...sessions.values()].map(session => whoIs(replica, session))))
    const all = replicas.flatMap(() => [...sessions.keys()])
    expect(await everybody()).toEqual(all)

    clock.turn({ minutes: ACCESS_TOKEN_MINUTES })
    world.issuer.fail('all', 'down')
    for (let seconds = 0; seconds < 60; seconds += 5) {
      expect(await everybody(), `after ${seconds} s`).toEqual(all)
      clock.turn({ seconds: 5 })
    }
    expect(await sessionEvents(replicas)).toMatchObject({ refreshed: 0, ended: 0, expired: 0 })
    world.issuer.clear()
    const asked = world.issuer.hits.token
    // Past the longest pause between two attempts.
    clock.turn({ seconds: 72 })
    expect(await everybody()).toEqual(all)
    clock.turn({ seconds: 10 })
    expect(await everybody()).toEqual(all)
    expect(world.issuer.hits.token - asked).toBe(people.length)
    expect(await sessionEvents(replicas)).toMatchObject({ refreshed: people.length, ended: 0, expired: 0 })
  },
)

test(
  'two hundred requests on one session at expiry, on two replicas, at an issuer that takes 3 s, are one refresh and all served',
  PATIENCE,
  async () => {
    const { world, clock, people, replicas, sessions } = await start(1)
    const [person] = people
    const [session] = sessions.values()
    if (person === undefined || session === undefined) throw new Error('nobody')
    for (const replica of replicas) expect(await whoIs(replica, session)).toBe(person.id)
    clock.turn({ minutes: ACCESS_TOKEN_MINUTES })
    person.groups = ['viewers']
    world.issuer.fail('token', { slowMs: 3000 })
    const asked = world.issuer.hits.token
    const answers = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const response = await replicas[index % 2]?.fetch('/sallyport/session', {
          headers: { cookie: `sallyport=${session}` },
        })
        return { status: response?.status, groups: response && (await json(response))['groups'] }
      }),
    )
    // Each of them with what the refresh has brought.
    expect(answers).toEqual(answers.map(() => ({ status: 200, groups: ['viewers'] })))
    expect(world.issuer.hits.token - asked).toBe(1)
    expect(await sessionEvents(replicas)).toMatchObject({ refreshed: 1, refresh_failed: 0, ended: 0, expired: 0 })
  },
)
