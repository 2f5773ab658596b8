import { expect, onTestFinished, test, vi } from 'vitest'
import { Refusal } from '../../src/core/failure.ts'
import type { RedisStoreOptions } from '../../src/store/redis-store.ts'
import type { Store } from '../../src/store/store.ts'
import { startRedisServer } from '../support/redis-server.ts'
import { connected, openRedisStore, type TurnedSecret, turnedSecret } from './redis-ends.ts'
import { ask, startCluster, startSentinelGroup } from './topologies.ts'

const HOST = '127.0.0.1'
const USER = 'app'
const OLD = 'old p@ss/word'
const NEW = 'new p@ss/word'
const PREFIX = 'credentials:'
/** What docs/deployment.md says that the user needs. */
const RIGHTS = `~${PREFIX}* &${PREFIX}* +@read +@write +@scripting +@pubsub +@connection -@dangerous
  +info +cluster|slots +cluster|info`.split(/\s+/)
const PATIENCE = { timeout: 15_000, interval: 20 }

const urlWith = (password: string, port: number): string =>
  `redis://${USER}:${encodeURIComponent(password)}@${HOST}:${port}`

/** A Redis in which the user has a password, and the options of a store that has it from `secret`. */
interface Secured {
  readonly ports: readonly number[]
  readonly options: Pick<RedisStoreOptions, 'target' | 'username' | 'password'>
  readonly secret: TurnedSecret
  /** What the secret holds for a password. */
  spelt(password: string): string
  acl(...rules: string[]): Promise<void>
  /** The connections of the user: on which port, and which of those that there ever were. */
  connections(): Promise<string[]>
  kill(): Promise<void>
}

async function secured(
  ports: readonly number[],
  form: Pick<Secured, 'options' | 'secret' | 'spelt'>,
): Promise<Secured> {
  const onAll = (...command: [string, ...string[]]): Promise<unknown[]> =>
    Promise.all(ports.map(port => ask(port, ...command)))
  const acl = async (...rules: string[]): Promise<void> => void (await onAll('ACL', 'SETUSER', USER, ...rules))
  await acl('on', ...RIGHTS, `>${OLD}`)
  return {
    ports,
    ...form,
    acl,
    async connections() {
      const lists = await onAll('CLIENT', 'LIST')
      return lists.flatMap((list, index) =>
        String(list)
          .split('\n')
          .filter(line => line.includes(` user=${USER} `))
          .map(line => `${ports[index]} ${/id=\d+/.exec(line)?.[0]}`),
      )
    },
    kill: async () => void (await onAll('CLIENT', 'KILL', 'USER', USER)),
  }
}

async function securedUrl(password = OLD): Promise<Secured> {
  const { port, stop } = await startRedisServer()
  onTestFinished(stop)
  const spelt = (text: string): string => urlWith(text, port)
  const secret = turnedSecret(spelt(password))
  const options = { target: { kind: 'url', url: secret }, username: undefined, password: undefined } as const
  return secured([port], { options, secret, spelt })
}

const KINDS: Record<string, () => Promise<Secured>> = {
  'a URL': () => securedUrl(),
  'a URL and a password': async () => {
    const { port, stop } = await startRedisServer()
    onTestFinished(stop)
    const secret = turnedSecret(OLD)
    const target = { kind: 'url', url: turnedSecret(`redis://${HOST}:${port}`) } as const
    return secured([port], { options: { target, username: USER, password: secret }, secret, spelt: text => text })
  },
  Sentinels: async () => {
    const group = await startSentinelGroup()
    onTestFinished(() => group.stop())
    const secret = turnedSecret(OLD)
    const target = { kind: 'sentinels', nodes: group.sentinels, name: group.name } as const
    const options = { target, username: USER, password: secret }
    return secured([group.master.port, group.replica.port], { options, secret, spelt: text => text })
  },
  'a Cluster': async () => {
    const cluster = await startCluster()
    onTestFinished(() => cluster.stop())
    const secret = turnedSecret(OLD)
    const target = { kind: 'cluster', nodes: cluster.addresses.slice(0, 1) } as const
    const options = { target, username: USER, password: secret }
    return secured(
      cluster.nodes.map(({ port }) => port),
      { options, secret, spelt: text => text },
    )
  },
}

function open({ options }: Secured): { store: Store; reports: unknown[] } {
  const reports: unknown[] = []
  const store = openRedisStore(options.target, {
    ...options,
    keyPrefix: PREFIX,
    report: error => reports.push(error),
  })
  onTestFinished(() => store.close())
  return { store, reports }
}

/** Uses the store without a pause, by all of its commands. */
function startLoad(store: Store): { done(): number; stop(): Promise<unknown[]> } {
  const failures: unknown[] = []
  const load = { over: false, done: 0 }
  const use = async (key: string): Promise<void> => {
    const lease = await store.lease(key, 60_000)
    await store.put(key, Buffer.from(key), 60_000, lease?.generation ?? 0)
    expect(await store.get(key)).toEqual(Buffer.from(key))
    await store.touch(key, 60_000)
    await store.replace(key, Buffer.from(key), 60_000)
    await store.take(key)
    await lease?.extend(60_000)
    await lease?.release()
    await store.remove(key)
  }
  const lanes = Promise.all(
    [1, 2, 3].map(async lane => {
      for (let count = 0; !load.over; count++) {
        await use(`${lane} ${count}`).catch((error: unknown) => failures.push(error))
        load.done++
      }
    }),
  )
  return {
    done: () => load.done,
    async stop() {
      load.over = true
      await lanes
      return failures
    },
  }
}

/** Announces one number after the other; `stop` wants every one heard since the first that was, in whatever order. */
async function startCounting(store: Store): Promise<{ stop(): Promise<void> }> {
  const heard = new Set<number>()
  store.onAnnounced(key => heard.add(Number(key)))
  let last = 0
  const timer = setInterval(() => store.announce(String(++last)), 5)
  await vi.waitFor(() => expect(heard.size).toBeGreaterThan(0), PATIENCE)
  return {
    async stop() {
      clearInterval(timer)
      await vi.waitFor(() => expect(heard.size).toBe(last - Math.min(...heard) + 1), PATIENCE)
    },
  }
}

test.for(Object.keys(KINDS))('a password that is rotated costs nothing while both are good: %s', async kind => {
  const redis = await (KINDS[kind] ?? securedUrl)()
  const { store, reports } = open(redis)
  await connected(store)
  const before = await redis.connections()
  const counting = await startCounting(store)
  const load = startLoad(store)

  await redis.acl(`>${NEW}`)
  redis.secret.turn(redis.spelt(NEW))
  await vi.waitFor(() => expect(reports).toEqual([undefined]), PATIENCE)
  await vi.waitFor(async () => {
    const now = await redis.connections()
    expect(now.filter(connection => before.includes(connection))).toEqual([])
    expect(now.length).toBeGreaterThanOrEqual(2)
  }, PATIENCE)
  await redis.acl(`<${OLD}`)
  const done = load.done()
  await vi.waitFor(() => expect(load.done()).toBeGreaterThan(done + 50), PATIENCE)
  expect(await load.stop()).toEqual([])
  await counting.stop()

  // What comes after, such as a restart of Redis that ends every connection, meets the new one.
  await redis.kill()
  await connected(store)
  expect(reports).toEqual([undefined])
})

test('a URL of another server leads there, and away from the one before', async () => {
  const [first, second] = [await securedUrl(), await securedUrl()]
  const { store } = open(first)
  await connected(store)
  await store.put('key', Buffer.from('on the first'), 60_000, 1)
  const load = startLoad(store)
  first.secret.turn(second.spelt(OLD))
  await vi.waitFor(async () => expect(await first.connections()).toEqual([]), PATIENCE)
  // What was put on the one is not on the other; that is all.
  expect((await load.stop()).filter(failure => failure instanceof Refusal)).toEqual([])
  expect(await second.connections()).toHaveLength(2)
  expect(await store.get('key')).toBeUndefined()
})

test('a password that does not work takes nothing away, and the next one that does takes over', async () => {
  const redis = await securedUrl()
  const { store, reports } = open(redis)
  await connected(store)
  const load = startLoad(store)
  redis.secret.turn(redis.spelt('a typing mistake'))
  // Told once, however often it is tried.
  await vi.waitFor(() => expect(reports).toHaveLength(1), PATIENCE)
  expect(String(reports[0])).toContain('WRONGPASS')
  expect(String(reports[0])).not.toContain('mistake')
  redis.secret.turn(redis.spelt(NEW))
  await vi.waitFor(() => expect(reports).toHaveLength(2), PATIENCE)
  // Redis learns of it last, which is the wrong order and still costs nothing.
  await redis.acl(`>${NEW}`)
  await vi.waitFor(() => expect(reports.at(-1)).toBeUndefined(), PATIENCE)
  expect(await load.stop()).toEqual([])
})

test.for(Object.keys(KINDS))('a password that was wrong from the start is mended without a restart: %s', async kind => {
  const redis = await (KINDS[kind] ?? securedUrl)()
  redis.secret.turn(redis.spelt('a typing mistake'))
  const { store } = open(redis)
  await expect(store.get('key')).rejects.toMatchObject({ failure: { kind: 'store-unavailable' } })
  redis.secret.turn(redis.spelt(OLD))
  await connected(store)
})

test('connections that end because their password did are made anew with the one in the file', async () => {
  const redis = await securedUrl()
  const { store } = open(redis)
  await connected(store)
  await redis.acl(`<${OLD}`, `>${NEW}`)
  await redis.kill()
  await vi.waitFor(async () => expect(await store.get('key').catch(String)).toContain('store-unavailable'), PATIENCE)
  redis.secret.turn(redis.spelt(NEW))
  await connected(store)
})

test('closes all of its connections, those of a rotation under way too', async () => {
  const redis = await securedUrl()
  const { store } = open(redis)
  await connected(store)
  redis.secret.turn(redis.spelt('a typing mistake'))
  await store.close()
  await vi.waitFor(async () => expect(await redis.connections()).toEqual([]), PATIENCE)
})
