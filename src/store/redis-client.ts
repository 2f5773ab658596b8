import { readFileSync } from 'node:fs'
import { Cluster, type CommonRedisOptions, Redis } from 'ioredis'
import type { Secret } from '../core/secret.ts'

/** A Redis that came back is noticed within this time. */
const LONGEST_PAUSE_MILLISECONDS = 500
/** Past the first time that the system repeats a lost packet, which is after a second: a machine that is back is met by it. */
const CONNECT_MILLISECONDS = 1500
/** A connection on which a command was sent and nothing came for this long leads nowhere: the machine has vanished. */
const SILENCE_MILLISECONDS = 2000
/** A connection that is given up may take this long to end; the next one is not made before. */
const PARTING_MILLISECONDS = 250

export type RedisClient = Redis | Cluster

export interface RedisAddress {
  readonly host: string
  readonly port: number
}

export interface RedisClientOptions {
  readonly target:
    | { readonly kind: 'url' }
    | { readonly kind: 'sentinels'; readonly nodes: readonly RedisAddress[]; readonly name: string }
    | { readonly kind: 'cluster'; readonly nodes: readonly RedisAddress[] }
  readonly username: string | undefined
  readonly tls: boolean
  readonly caFile: string | undefined
  readonly commandTimeoutMilliseconds: number
  readonly scripts: Record<string, { lua: string; numberOfKeys: number }>
}

/** What may change while the process runs. */
export interface RedisCredentials {
  /** Where the target is a URL. */
  readonly url: Secret | undefined
  readonly password: Secret | undefined
}

/** Makes clients of one server, Sentinel group or Cluster. They connect in the background and again, for as long as it takes. */
export function createRedisClients(options: RedisClientOptions): (credentials: RedisCredentials) => RedisClient {
  const { target } = options
  const tls = options.caFile === undefined ? {} : { ca: readFileSync(options.caFile, 'utf8') }
  const silence = Math.max(SILENCE_MILLISECONDS, 2 * options.commandTimeoutMilliseconds)
  const common = {
    scripts: options.scripts,
    // For the commands of the connection itself; those of the store have their own deadline.
    commandTimeout: silence,
    socketTimeout: silence,
    connectTimeout: CONNECT_MILLISECONDS,
    disconnectTimeout: PARTING_MILLISECONDS,
    // A server that starts with data in it says how long it will take, rounded up to seconds.
    maxLoadingRetryTime: LONGEST_PAUSE_MILLISECONDS,
    // A command that cannot be sent now fails now: requests wait for a deadline of milliseconds, not for Redis to return.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    // Nobody would hear of its failure but the process, which would end; redis-connection.ts does it, at every "ready".
    autoResubscribe: false,
    retryStrategy: pause,
    // A replica that was a master until the fail-over says READONLY: connect anew, and send the command again.
    reconnectOnError: (error: Error) => (error.message.startsWith('READONLY') ? 2 : false),
    ...(options.username === undefined ? {} : { username: options.username }),
  } satisfies CommonRedisOptions & { disconnectTimeout: number }
  const secured = options.tls ? { tls } : {}

  return ({ url, password }) => {
    const own = { ...common, ...(password === undefined ? {} : { password: password.reveal() }) }
    if (target.kind === 'url') {
      const address = url?.reveal() ?? ''
      return new Redis(address, { ...own, ...(address.startsWith('rediss:') ? { tls } : {}) })
    }
    if (target.kind === 'sentinels') {
      return new Redis({
        ...own,
        ...secured,
        // The Sentinels are asked over TLS too: what they say is where the password is sent.
        ...(options.tls ? { enableTLSForSentinelMode: true, sentinelTLS: tls } : {}),
        sentinels: [...target.nodes],
        name: target.name,
        sentinelRetryStrategy: pause,
        // One that is reached and does not answer must not keep the others from being asked.
        sentinelCommandTimeout: silence,
        // A master that vanished does not close its connections; the Sentinels say when there is another.
        failoverDetector: true,
      })
    }
    return new Cluster([...target.nodes], {
      scripts: options.scripts,
      enableOfflineQueue: false,
      clusterRetryStrategy: pause,
      // Certificates are made for names: a node is reached by the one it was given, not by an address looked up for it.
      ...(options.tls
        ? { dnsLookup: (name: string, found: (error: null, name: string) => void) => found(null, name) }
        : {}),
      redisOptions: { ...own, ...secured },
    })
  }
}

/** Grows to its longest soon, and no two replicas come back together. */
function pause(attempt: number): number {
  return Math.min(attempt * 50, LONGEST_PAUSE_MILLISECONDS) * (0.5 + Math.random() / 2)
}
