import type { SecretSource } from '../core/secret.ts'
import { createRedisClients, type RedisClient, type RedisClientOptions, type RedisCredentials } from './redis-client.ts'

/** How soon changed credentials are noticed where nothing else happens. */
const LOOK_MILLISECONDS = 1000
const REVIVE_MILLISECONDS = 50

export interface RedisConnectionOptions extends Omit<RedisClientOptions, 'target'> {
  readonly target:
    | { readonly kind: 'url'; readonly url: SecretSource }
    | Exclude<RedisClientOptions['target'], { kind: 'url' }>
  readonly password: SecretSource | undefined
  readonly channels: readonly string[]
  readonly onMessage: (channel: string, message: string) => void
  /** Hears of credentials that changed while the process ran: `undefined` once they are in use, else why they are not. */
  readonly report: (error: unknown) => void
}

export interface RedisConnection {
  /** The client to send a command on. To be asked each time: it is another one once the credentials have changed. */
  client(): RedisClient
  /** Resolves when Redis was there for the first time. */
  readonly ready: Promise<void>
  close(): void
}

/** A client for commands and one that listens, with the same credentials. */
interface Pair {
  readonly credentials: RedisCredentials
  readonly client: RedisClient
  /** Resolves when both were ready once. */
  readonly ready: Promise<unknown>
  end(): void
}

/**
 * Redis, with the credentials of the moment. When they change a second pair of clients is made, and takes over once it
 * is ready. Until then the first goes on: credentials that do not work yet, or ever, take nothing away.
 */
export function createRedisConnection(options: RedisConnectionOptions): RedisConnection {
  const { target, password } = options
  const createClient = createRedisClients(options)
  const { promise: ready, resolve: markReady } = Promise.withResolvers<void>()
  const pairs = new Set<Pair>()
  let next: Pair | undefined
  /** Whether it was told that the next pair cannot be used: once is enough. */
  let told = false
  let closed = false

  const credentialsNow = (): RedisCredentials => ({
    url: target.kind === 'url' ? target.url.current() : undefined,
    password: password?.current(),
  })

  const open = (credentials: RedisCredentials): Pair => {
    const [client, subscriber] = [createClient(credentials), createClient(credentials)]
    const connected = new Promise<void>(resolve => client.once('ready', () => resolve()))
    const subscribed = new Promise<void>(resolve =>
      subscriber.on('ready', () => {
        // Tried again at the next "ready"; what is missed until then is covered by polling and by re-reading.
        subscriber.subscribe(...options.channels).then(
          () => resolve(),
          () => resolve(),
        )
      }),
    )
    subscriber.on('message', options.onMessage)
    const pair: Pair = {
      credentials,
      client,
      ready: Promise.all([connected, subscribed]),
      end() {
        pairs.delete(pair)
        subscriber.disconnect()
        client.disconnect()
      },
    }
    for (const each of [client, subscriber]) {
      // Every command meets the error of its own; without a listener these would end the process.
      each.on('error', (error: unknown) => {
        if (pair !== next || told) return
        told = true
        options.report(error)
      })
      // A connection that ended may have ended because its password did.
      each.on('close', look)
      // Unless we end it, it goes on. ioredis gives up for good where a fail-over is told while it asks for the master.
      each.on('end', () => setTimeout(revive, REVIVE_MILLISECONDS, pair, each).unref())
    }
    void connected.then(() => pair === current && markReady())
    pairs.add(pair)
    return pair
  }

  const revive = (pair: Pair, client: RedisClient): void => {
    // How it went is heard of by its events.
    if (pairs.has(pair)) client.connect().catch(() => {})
  }

  const look = (): void => {
    const credentials = credentialsNow()
    const latest = (next ?? current).credentials
    if (closed || (credentials.url === latest.url && credentials.password === latest.password)) return
    next?.end()
    told = false
    const pair = open(credentials)
    next = pair
    void pair.ready.then(() => pair === next && takeOver(pair))
  }

  const takeOver = (pair: Pair): void => {
    const before = current
    current = pair
    next = undefined
    markReady()
    options.report(undefined)
    // By then nobody waits for an answer on it any more.
    setTimeout(() => before.end(), 2 * options.commandTimeoutMilliseconds).unref()
  }

  let current = open(credentialsNow())
  const timer = setInterval(look, LOOK_MILLISECONDS).unref()

  return {
    client: () => current.client,
    ready,
    close() {
      closed = true
      clearInterval(timer)
      for (const pair of pairs) pair.end()
    },
  }
}
