import { randomUUID } from 'node:crypto'
import { Refusal } from '../core/failure.ts'
import type { RedisClient } from './redis-client.ts'
import { createRedisConnection, type RedisConnectionOptions } from './redis-connection.ts'
import type { Store } from './store.ts'
import { createWaitingRoom } from './waiting-room.ts'

/** A write that comes this long after its lease is still refused. Longer would only fill Redis: each lease leaves one. */
const GENERATION_MILLISECONDS = 24 * 3_600_000
/** A released lease is announced; this is how soon it is noticed where the announcement was lost. */
const POLL_MILLISECONDS = 250

export interface RedisStoreOptions extends Omit<RedisConnectionOptions, 'scripts' | 'channels' | 'onMessage'> {
  readonly keyPrefix: string
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
    lua: `redis.call('incr', KEYS[2]) redis.call('pexpire', KEYS[2], ARGV[1]) return redis.call('getdel', KEYS[1])`,
  },
  // The new generation, or 0 where somebody holds the lease.
  sallyportLease: {
    numberOfKeys: 2,
    lua: `if not redis.call('set', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
local g = redis.call('incr', KEYS[2]) redis.call('pexpire', KEYS[2], ARGV[3]) return g`,
  },
  sallyportExtend: {
    numberOfKeys: 1,
    lua: `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end return 0`,
  },
  sallyportRelease: {
    numberOfKeys: 1,
    lua: `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`,
  },
}

type Scripts = Record<keyof typeof SCRIPTS, (...args: (string | number | Buffer)[]) => Promise<number>> & {
  // ioredis defines one for each script: what it answers, as bytes.
  sallyportRemoveBuffer(...args: (string | number)[]): Promise<Buffer | null>
}

/** The store of all replicas: one Redis server, a Sentinel group or a Cluster. Connects in the background and again. */
export function createRedisStore(options: RedisStoreOptions): Store {
  const room = createWaitingRoom()
  const listeners: ((key: string) => void)[] = []
  const releasedChannel = `${options.keyPrefix}released`
  const announcedChannel = `${options.keyPrefix}announced`
  const owner = randomUUID()
  const connection = createRedisConnection({
    ...options,
    scripts: SCRIPTS,
    channels: [releasedChannel, announcedChannel],
    onMessage(channel, key) {
      if (channel === releasedChannel) room.wake(key)
      else for (const listener of listeners) listener(key)
    },
  })
  const client = (): RedisClient & Scripts => connection.client() as RedisClient & Scripts

  // Commands that come before the first connection wait for it; later ones fail at once where there is none.
  let connecting: Promise<void> | undefined = connection.ready
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
    run('publish', () => client().publish(channel, key)).catch(() => {})
  }

  return {
    get: key => run('get', async () => (await client().getBuffer(keysOf(key).value)) ?? undefined),
    async put(key, value, ttlMilliseconds, generation) {
      const { value: valueKey, generation: generationKey } = keysOf(key)
      const ttl = wholeMilliseconds(ttlMilliseconds)
      return (await run('put', () => client().sallyportPut(valueKey, generationKey, value, ttl, generation))) === 1
    },
    async replace(key, value, ttlMilliseconds) {
      const ttl = wholeMilliseconds(ttlMilliseconds)
      return (await run('replace', () => client().set(keysOf(key).value, value, 'PX', ttl, 'XX'))) === 'OK'
    },
    async touch(key, ttlMilliseconds) {
      const ttl = wholeMilliseconds(ttlMilliseconds)
      return (await run('touch', () => client().pexpire(keysOf(key).value, ttl))) === 1
    },
    take: key => run('take', async () => (await client().getdelBuffer(keysOf(key).value)) ?? undefined),
    async remove(key) {
      const { value, generation } = keysOf(key)
      const removed = await run('remove', () =>
        client().sallyportRemoveBuffer(value, generation, GENERATION_MILLISECONDS),
      )
      return removed ?? undefined
    },
    async lease(key, ttlMilliseconds) {
      const { lease, generation: generationKey } = keysOf(key)
      const holder = `${owner}:${randomUUID()}`
      const generation = await run('lease', () =>
        client().sallyportLease(lease, generationKey, holder, ttlMilliseconds, GENERATION_MILLISECONDS),
      ).catch((error: unknown) => {
        // A slow Redis may give it all the same, to nobody. Commands keep their order, so this one comes after.
        client()
          .sallyportRelease(lease, holder)
          .catch(() => {})
        throw error
      })
      if (generation === 0) return undefined
      return {
        generation,
        extend: async ttl => (await run('extend', () => client().sallyportExtend(lease, holder, ttl))) === 1,
        async release() {
          await run('release', () => client().sallyportRelease(lease, holder))
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
      connection.close()
    },
  }
}

/** Redis takes no fractions, and takes 0 for a mistake. */
function wholeMilliseconds(ttl: number): number {
  return Math.max(1, Math.floor(ttl))
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
