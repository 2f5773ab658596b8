import { setTimeout as pause } from 'node:timers/promises'
import { request } from 'undici'
import { onTestFinished, vi } from 'vitest'
import type { Person } from '../../demo/issuer/people.ts'
import type { Clock } from '../../src/core/clock.ts'
import { type SidecarProcess, startSidecarProcess } from '../support/process.ts'
import { freePort } from '../../demo/free-port.ts'
import { sessionOf, signIn } from '../support/sign-in.ts'
import { openSessions, signedIn } from '../identity/session-replica.ts'
import { connected, openRedisStore, urlTarget } from '../store/redis-ends.ts'
import { LOGIN, redisStore, redisUrl, type Sidecar, webClientOf, type World, type Written } from '../support/world.ts'

/** How many sign in at once: more would only make each of them slower. */
const SIGN_INS_AT_ONCE = 8
const CLIENTS = 20
const PAUSE_MILLISECONDS = 100

type Site = { readonly url: string }

/** As many people, in the group that is granted something. */
export function createPeople(count: number): (Person & { groups: readonly string[] })[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `person-${index}`,
    name: `Person ${index}`,
    email: `person-${index}@example.com`,
    groups: ['analytics'],
  }))
}

/** Signs all of them in, each with a browser of their own. Resolves with their session cookies, by subject. */
export async function signInAll(sidecar: Site, people: readonly Person[]): Promise<Map<string, string>> {
  const sessions = new Map<string, string>()
  const waiting = people.values()
  await Promise.all(
    Array.from({ length: SIGN_INS_AT_ONCE }, async () => {
      for (const { id } of waiting) sessions.set(id, await sessionFor(sidecar, id))
    }),
  )
  return sessions
}

/** The sessions of so many who are signed in already, by a third replica: a sign-in takes the issuer longer than us. */
export async function beginSessions(store: Written, people: readonly Person[]): Promise<readonly string[]> {
  const { keyPrefix } = store['redis'] as { keyPrefix: string }
  const ends = openRedisStore(urlTarget(redisUrl()), { keyPrefix })
  onTestFinished(() => ends.close())
  const { sessions } = openSessions({ store: await connected(ends) })
  const begun: string[] = []
  // One after the other: Redis is not what is tried here.
  for (const { id, email } of people) begun.push(await sessions.begin(signedIn({ sub: id, email })))
  return begun
}

async function sessionFor(sidecar: Site, person: string): Promise<string> {
  for (;;) {
    const { browser, page } = await signIn(sidecar, person)
    const session = sessionOf(browser, sidecar)
    if (session !== undefined) return session
    // Nothing is wrong yet on a machine that is so busy that Redis is late.
    if (page.status !== 503) throw new Error(`${person} is not signed in: ${page.status} ${page.body.slice(0, 500)}`)
  }
}

/** A `store` section as the tests have it, on whatever Redis it says. */
export function storeOn(redis: Written): Written {
  const { redis: usual, ...rest } = redisStore()
  const { url: _, ...settings } = usual as Written
  return { ...rest, redis: { ...settings, ...redis } }
}

/** What a replica has to have of its deployment, besides the world's. */
export function replicaSections(world: World, publicUrl: string, store: Written): Written {
  return {
    server: { publicUrl, drainSeconds: 1 },
    issuers: [{ name: 'corp', issuer: world.issuer.issuer, audiences: ['sallyport'], login: LOGIN }],
    store,
  }
}

/** Two replicas in this process. People sign in at the first. */
export async function startReplicas(
  world: World,
  clock: Clock,
  { store = redisStore(), ...sections }: { store?: Written; looker?: Written } = {},
): Promise<readonly [Sidecar, Sidecar]> {
  const here = await world.loginSidecar({ store, ...sections }, { clock })
  return [here, await world.sidecar({ ...replicaSections(world, here.url, store), ...sections }, { clock })]
}

/** Two replicas as processes of their own. People sign in at the first. */
export async function startReplicaProcesses(
  world: World,
  store: Written,
): Promise<readonly [SidecarProcess, SidecarProcess]> {
  const port = await freePort()
  const publicUrl = `http://127.0.0.1:${port}`
  world.issuer.setWebClient(webClientOf(publicUrl))
  const written = world.written(replicaSections(world, publicUrl, store))
  const replicas = await Promise.all([startSidecarProcess(written, { port }), startSidecarProcess(written)])
  onTestFinished(async () => void (await Promise.all(replicas.map(replica => replica.stop()))))
  return replicas
}

export interface Load {
  /** How many requests were answered so far; and those of them with the person's page. */
  count(): number
  served(): number
  /** What was neither that nor a 503. */
  readonly wrong: readonly unknown[]
  /** Resolves when everybody was served by each replica, from now on; or something was wrong. */
  everybodyServed(): Promise<void>
  end(): Promise<void>
}

/** Everybody goes to a page of the app again and again, at each replica in turn. */
export function startLoad(replicas: readonly Site[], sessions: ReadonlyMap<string, string>): Load {
  const people = [...sessions]
  const wrong: unknown[] = []
  let [count, served] = [0, 0]
  let unserved = new Set<string>()
  let over = false

  const visit = async ({ url }: Site, person: string, session: string): Promise<void> => {
    try {
      const headers = { cookie: `sallyport=${session}`, accept: 'text/html' }
      const { statusCode, body } = await request(`${url}/headers`, { headers })
      const text = await body.text()
      count++
      if (statusCode === 200 && (JSON.parse(text) as Written)['x-forwarded-user'] === person) {
        served++
        unserved.delete(`${person} at ${url}`)
      } else if (statusCode !== 503) wrong.push({ person, statusCode, text })
    } catch (error) {
      wrong.push({ person, error })
    }
  }
  const clients = Array.from({ length: Math.min(CLIENTS, people.length) }, async (_, client) => {
    const own = people.filter((_person, index) => index % CLIENTS === client)
    for (;;) {
      for (const replica of replicas) {
        for (const [person, session] of own) {
          await visit(replica, person, session)
          await pause(PAUSE_MILLISECONDS)
          if (over) return
        }
      }
    }
  })
  const end = async (): Promise<void> => {
    over = true
    await Promise.all(clients)
  }
  onTestFinished(end)

  return {
    count: () => count,
    served: () => served,
    wrong,
    async everybodyServed() {
      unserved = new Set(replicas.flatMap(({ url }) => people.map(([person]) => `${person} at ${url}`)))
      await vi.waitFor(
        () => {
          // Who was refused once is not waited for: `wrong` says it.
          if (wrong.length === 0 && unserved.size > 0)
            throw new Error(`not served yet: ${[...unserved].slice(0, 5).join(', ')}`)
        },
        { timeout: 60_000, interval: 50 },
      )
    },
    end,
  }
}

/** How many times each thing happened to a session, on all replicas together. */
export async function sessionEvents(
  replicas: readonly { readonly adminUrl: string }[],
): Promise<Record<string, number>> {
  const events: Record<string, number> = {}
  for (const { adminUrl } of replicas) {
    const text = await (await fetch(`${adminUrl}/metrics`)).text()
    for (const [, event = '', count] of text.matchAll(/^sallyport_sessions_total\{event="(\w+)"\} (\d+)/gm)) {
      events[event] = (events[event] ?? 0) + Number(count)
    }
  }
  return events
}
