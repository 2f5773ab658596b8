import { onTestFinished } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { Refusal } from '../../src/core/failure.ts'
import type { Identity } from '../../src/core/identity.ts'
import { createClientAddress } from '../../src/http/client-address.ts'
import type { Exchange } from '../../src/http/exchange.ts'
import { createUpstream } from '../../src/http/upstream/client.ts'
import { createProxyServer, type ProxyServerOptions } from '../../src/http/server.ts'

/** The listener alone before an app: what happens on its connections, without issuers, stores and Looker behind it. */
export interface Proxy {
  readonly url: string
  /** Requests that are over, with their statuses, as audit and metrics hear of them. */
  readonly ended: { exchange: Exchange; status: number }[]
  readonly reported: unknown[]
  /** What the identity that opened it is no longer good: every socket it opened. */
  endSessions(): void
  /** How many are watched. */
  watched(): number
  stop(): void
  close(): Promise<void>
}

export interface ProxyOptions {
  readonly timeoutMilliseconds?: number
  readonly patience?: NonNullable<ProxyServerOptions['patience']>
  readonly publicPaths?: boolean
  readonly trustedProxies?: readonly string[]
  readonly maxBodyBytes?: number
  /** Holds the guard up: resolves when it may go on. */
  readonly hold?: () => Promise<void>
}

/** Bearers are their own subjects here; `bad` is not accepted. */
const verify = (token: string): Identity => {
  if (token === 'bad') throw new Refusal({ kind: 'token-rejected', reason: 'signature', detail: 'bad' })
  return {
    issuer: 'corp',
    issuerUrl: 'https://id.example.com',
    subject: token,
    email: `${token}@example.com`,
    name: undefined,
    preferredUsername: token,
    groups: ['analytics'],
    claims: {},
    expiresAt: Date.now() + 3_600_000,
    method: 'jwt',
  }
}

export async function startProxy(appUrl: string, options: ProxyOptions = {}): Promise<Proxy> {
  const ended: Proxy['ended'] = []
  const reported: unknown[] = []
  const watching = new Set<() => void>()
  const onStop = new Set<() => void>()
  let stopping = false
  const isUnix = appUrl.startsWith('unix:')
  const upstream = createUpstream({
    origin: new URL(isUnix ? 'http://localhost' : appUrl),
    socketPath: isUnix ? appUrl.slice('unix://'.length) : undefined,
    connectMilliseconds: 5000,
    answerMilliseconds: options.timeoutMilliseconds ?? 5000,
  })
  const keep = (set: Set<() => void>, listener: () => void): (() => void) => {
    set.add(listener)
    return () => void set.delete(listener)
  }
  const server = await createProxyServer({
    prefix: '/sallyport',
    corsOrigins: [],
    clock: systemClock,
    clientAddress: createClientAddress(options.trustedProxies ?? []),
    assertion: { assert: () => 'assertion', publicKeys: () => ({ keys: [] }) },
    ...(options.patience === undefined ? {} : { patience: options.patience }),
    app: {
      url: appUrl,
      upstream,
      publicUrl: 'https://app.example.com',
      maxBodyBytes: options.maxBodyBytes,
      watch: (_exchange, listener) => keep(watching, listener),
      onEnding(listener) {
        if (stopping) listener()
        return keep(onStop, listener)
      },
    },
    guard: {
      async verify(token) {
        await options.hold?.()
        return verify(token)
      },
      sessionOf: undefined,
      trustsOrigin: () => false,
      appRule: () => ({
        name: 'rule',
        access: options.publicPaths === true ? 'public' : 'authenticated',
        admits: ({ subject }) => subject !== 'nora',
      }),
      ensureAudit() {},
      observeAuth() {},
      observeDecision() {},
    },
    // No request of these tests gets as far as these.
    tokenExchange: {} as never,
    lookerToken: {} as never,
    session: {} as never,
    onBegin() {},
    onEnd: (exchange, status) => ended.push({ exchange, status }),
    report: (_exchange, error) => reported.push(error),
    stopping: () => stopping,
  })
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  const all = (set: Set<() => void>): void => {
    for (const listener of set) listener()
  }
  let closed: Promise<unknown> | undefined
  const close = async (): Promise<void> => {
    server.server.closeAllConnections()
    upstream.destroy()
    await (closed ??= server.close())
  }
  onTestFinished(async () => {
    stopping = true
    all(onStop)
    await close()
  })
  return {
    url,
    ended,
    reported,
    endSessions: () => all(watching),
    watched: () => watching.size + onStop.size,
    stop() {
      stopping = true
      all(onStop)
    },
    close,
  }
}
