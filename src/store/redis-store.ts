import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Cluster, type CommonRedisOptions, Redis } from 'ioredis'
import { Refusal } from '../core/failure.ts'
import type { Secret } from '../core/secret.ts'
import type { Store } from './store.ts'
import { createWaitingRoom } from './waiting-room.ts'

/** A store that came back is noticed within this time. */
const RECONNECT_MILLISECONDS = 500
/** A connection on which a command was sent and nothing came for this long leads nowhere: the machine has vanished. */
const SILENCE_MILLISECONDS = 2000
/** Generations outlive every lease and value they guard; 31 days is the longest a value is kept. */
const GENERATION_MILLISECONDS = 31 * 24 * 3_600_000
/** A released lease is announced; this is how soon it is noticed where the announcement was lost. */
const POLL_MILLISECONDS = 250

export interface RedisAddress {
  readonly host: string
  readonly port: number
}

export interface RedisStoreOptions {
  readonly target:
    | { readonly kind: 'url'; readonly url: Secret }
    | { readonly kind: 'sentinels'; readonly nodes: readonly RedisAddress[]; readonly name: string }
    | { readonly kind: 'cluster'; readonly nodes: readonly RedisAddress[] }
  readonly username: string | undefined
  readonly password: Secret | undefined
  readonly tls: boolean
  readonly caFile: string | undefined
  readonly keyPrefix: string
  readonly commandTimeoutMilliseconds: number
  /** Hears of each command: its name, how long it took, whether it failed. */
  readonly observe: (command: string, seconds: number, error: unknown) => void
}

// Each script touches keys of one hash tag, so that it runs on a Cluster. The docs (redis-keys.md) name the keys.
const SCRIPTS = {
  // The value, unless a younger generation was seen.
  sallyportPut: {
    numberOfKeys: 2,
    lua: `if tonumber(redis.call('get', KEYS[2]) or '0') > tonumber(ARGV[3]) then return 0 end
redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1`,
  },
  sallyportRemove: {
    numberOfKeys: 2,
    lua: `redis.call('incr', KEYS[2]) redis.call('pexpire', KEYS[2], ARGV[1]) return redis.call('del', KEYS[1])`,
  },
  // The new generation, or 0 where somebody holds the lease.
  sallyportLease: {
    numberOfKeys: 2,
    lua: `if not redis.call('set', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
local g = redis.call('incr', KEYS[2]) redis.call('pexpire', KEYS[2], ARGV[3]) return g`,
  },
  sallyportRelease: {
    numberOfKeys: 1,
    lua: `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`,
  },
}

type Scripts = Record<keyof typeof SCRIPTS, (...args: (string | number | Buffer)[]) => Promise<number>>

/** The store of all replicas: one Redis server, a Sentinel group or a Cluster. Connects in the background and again. */
export function createRedisStore(options: RedisStoreOptions): Store {
  const client = connect(options)
  const subscriber = connect(options)
  const commands = client as typeof client & Scripts
  const room = createWaitingRoom()
  const listeners: ((key: string) => void)[] = []
  const releasedChannel = `${options.keyPrefix}released`
  const announcedChannel = `${options.keyPrefix}announced`
  const owner = randomUUID()

  // Every command meets the error of its own; without a listener these would end the process.
  client.on('error', () => {})
  subscriber.on('error', () => {})
  subscriber.on('message', (channel: string, key: string) => {
    if (channel === releasedChannel) room.wake(key)
    else for (const listener of listeners) listener(key)
  })
  const subscribe = (): void => {
    // Tried again at the next "ready"; what is missed until then is covered by polling and by re-reading.
    subscriber.subscribe(releasedChannel, announcedChannel).catch(() => {})
  }
  subscriber.on('ready', subscribe)

  // Commands that come before the first connection wait for it; later ones fail at once where there is none.
  let connecting: Promise<void> | undefined = new Promise(resolve => client.once('ready', () => resolve()))
  void connecting.then(() => (connecting = undefined))

  const run = async <T>(command: string, call: () => Promise<T>): Promise<T> => {
    const started = performance.now()
    try {
      if (connecting !== undefined) await inTime(connecting, options.commandTimeoutMilliseconds)
      const answer = await inTime(call(), options.commandTimeoutMilliseconds)
      options.observe(command, (performance.now() - started) / 1000, undefined)
      return answer
    } catch (error) {
      options.observe(command, (performance.now() - started) / 1000, error)
      throw new Refusal({ kind: 'store-unavailable' }, { cause: error })
    }
  }
  const keysOf = (key: string): { value: string; lease: string; generation: string } => {
    const tagged = `${options.keyPrefix}{${key}}`
    return { value: tagged, lease: `${tagged}:lease`, generation: `${tagged}:generation` }
  }
  const publish = (channel: string, key: string): void => {
    // Best effort by contract: listeners re-read within a bound of their own.
    run('publish', () => client.publish(channel, key)).catch(() => {})
  }

  return {
    get: key => run('get', async () => (await client.getBuffer(keysOf(key).value)) ?? undefined),
    async put(key, value, ttlMilliseconds, generation) {
      const { value: valueKey, generation: generationKey } = keysOf(key)
      const ttl = Math.max(1, Math.floor(ttlMilliseconds))
      return (await run('put', () => commands.sallyportPut(valueKey, generationKey, value, ttl, generation))) === 1
    },
    async remove(key) {
      const { value, generation } = keysOf(key)
      await run('remove', () => commands.sallyportRemove(value, generation, GENERATION_MILLISECONDS))
    },
    async lease(key, ttlMilliseconds) {
      const { lease, generation: generationKey } = keysOf(key)
      const holder = `${owner}:${randomUUID()}`
      const generation = await run('lease', () =>
        commands.sallyportLease(lease, generationKey, holder, ttlMilliseconds, GENERATION_MILLISECONDS),
      )
      if (generation === 0) return undefined
      return {
        generation,
        async release() {
          await run('release', () => commands.sallyportRelease(lease, holder))
          publish(releasedChannel, key)
        },
      }
    },
    awaitRelease: (key, milliseconds) =>
      room.wait(key, Math.min(milliseconds, POLL_MILLISECONDS * (1 + Math.random()))),
    announce: key => publish(announcedChannel, key),
    onAnnounced(listener) {
      listeners.push(listener)
    },
    async close() {
      subscriber.disconnect()
      client.disconnect()
    },
  }
}

/** Rejects where the answer takes longer. What arrived while this process was busy is read before that is decided. */
function inTime<T>(answer: Promise<T>, milliseconds: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = (): void => reject(new Error(`no answer within ${milliseconds} ms`))
    // Timers run before sockets are read, immediates after: a burst of requests must not look like a slow Redis.
    const timer = setTimeout(() => setImmediate(late), milliseconds)
    const settled = (): void => clearTimeout(timer)
    answer.then(resolve, reject).then(settled, settled)
  })
}

const pause = (attempt: number): number => Math.min(attempt * 50, RECONNECT_MILLISECONDS)

function connect(options: RedisStoreOptions): Redis | Cluster {
  const { target } = options
  const tls = options.caFile === undefined ? {} : { ca: readFileSync(options.caFile, 'utf8') }
  const common = {
    scripts: SCRIPTS,
    // For the commands of the connection itself; those of the store have their own deadline.
    commandTimeout: Math.max(SILENCE_MILLISECONDS, 2 * options.commandTimeoutMilliseconds),
    connectTimeout: 2000,
    socketTimeout: Math.max(SILENCE_MILLISECONDS, 2 * options.commandTimeoutMilliseconds),
    // A command that cannot be sent now fails now: requests wait for a deadline of milliseconds, not for Redis to return.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    // Nobody would hear of its failure but the process, which would end; `subscribe` above does it, at every "ready".
    autoResubscribe: false,
    retryStrategy: pause,
    // A replica that was a master until the fail-over says READONLY: connect anew, and send the command again.
    reconnectOnError: error => (error.message.startsWith('READONLY') ? 2 : false),
    ...(options.username === undefined ? {} : { username: options.username }),
    ...(options.password === undefined ? {} : { password: options.password.reveal() }),
  } satisfies CommonRedisOptions
  if (target.kind === 'url') {
    const url = target.url.reveal()
    return new Redis(url, { ...common, ...(url.startsWith('rediss:') ? { tls } : {}) })
  }
  const secured = options.tls ? { tls } : {}
  if (target.kind === 'sentinels') {
    return new Redis({
      ...common,
      ...secured,
      sentinels: [...target.nodes],
      name: target.name,
      sentinelRetryStrategy: pause,
      // A master that vanished does not close its connections; the Sentinels say when there is another.
      failoverDetector: true,
    })
  }
  return new Cluster([...target.nodes], {
    scripts: SCRIPTS,
    enableOfflineQueue: false,
    clusterRetryStrategy: pause,
    redisOptions: { ...common, ...secured },
  })
}
