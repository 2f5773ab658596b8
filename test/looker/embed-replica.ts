import { hash } from 'node:crypto'
import { Agent } from 'undici'
import { onTestFinished } from 'vitest'
import { createTurnableClock } from '../../demo/looker/clock.ts'
import { type EmulatedLooker, startEmulatedLooker } from '../../demo/looker/emulated-looker.ts'
import { type Clock, systemClock } from '../../src/core/clock.ts'
import type { LookerScope } from '../../src/core/looker-scope.ts'
import { Secret, type SecretSource } from '../../src/core/secret.ts'
import { createLookerClient, type LookerClient } from '../../src/looker/client.ts'
import { createEmbedSessions, type EmbedSessions } from '../../src/looker/embed-sessions.ts'
import { createEmbedUrls, type EmbedUrls } from '../../src/looker/embed-urls.ts'
import { createLimiter } from '../../src/looker/limiter.ts'
import type { EmbedAlgorithm } from '../../src/looker/signed-url.ts'
import { createTokenBroker, type TokenBroker } from '../../src/looker/token-broker.ts'
import { createMemoryStore } from '../../src/store/memory-store.ts'
import { createSealer } from '../../src/store/seal.ts'
import { createSingleFlight } from '../../src/store/single-flight.ts'
import type { Store } from '../../src/store/store.ts'
import { createVault, type Vault } from '../../src/store/vault.ts'

export const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
export const CHROME =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36'
export const PUBLIC_URL = 'https://app.example.com'
export const EMBED_SECRET = 'a secret that Looker made'

export const ACQUIRE = 'acquire_embed_cookieless_session'
export const GENERATE = 'generate_tokens_for_cookieless_session'
export const DELETE = 'delete_embed_cookieless_session'

const constant = (text: string): SecretSource => {
  const secret = new Secret(text)
  return { current: () => secret }
}

/** A scope as a grant makes it. */
export function scopeOf(id: string, parts: Partial<Omit<LookerScope, 'fingerprint'>> = {}): LookerScope {
  const scope = {
    grant: 'explorer',
    externalUserId: `corp|${id}`,
    permissions: ['access_data', 'explore', 'see_looks', 'see_user_dashboards'],
    models: ['thelook'],
    groupIds: [],
    userAttributes: {},
    firstName: undefined,
    lastName: undefined,
    ...parts,
  }
  return { ...scope, fingerprint: hash('sha256', JSON.stringify(scope)) }
}

export interface Replica {
  readonly sessions: EmbedSessions
  readonly broker: TokenBroker
  readonly client: LookerClient
  readonly vault: Vault
  /** What the caller was not told, by what it was. */
  readonly reports: string[]
  /** The errors of those, in the same order. */
  readonly reported: unknown[]
  urls(options?: { secret?: string; algorithm?: EmbedAlgorithm }): EmbedUrls
}

interface ReplicaOptions {
  readonly clock?: Clock
  readonly store?: Store
  readonly waitSeconds?: number
}

/** What one replica has to do with Looker, put together as in a sidecar. */
export function openReplica(looker: EmulatedLooker, options: ReplicaOptions = {}): Replica {
  const { clock = systemClock, store = createMemoryStore(clock), waitSeconds = 30 } = options
  const dispatcher = new Agent({ connections: 8 })
  onTestFinished(() => dispatcher.destroy())
  const reports: string[] = []
  const reported: unknown[] = []
  const client = createLookerClient({
    url: looker.url,
    clientId: constant(looker.clientId),
    clientSecret: constant(looker.clientSecret),
    timeoutSeconds: waitSeconds,
    dispatcher,
    clock,
    observe: () => {},
    failed: () => {},
  })
  const common = {
    looker: client,
    vault: createVault({
      store,
      sealer: createSealer([{ id: 'k1', key: constant(Buffer.alloc(32, 1).toString('base64')) }]),
    }),
    limiter: createLimiter({ atOnce: 8, waitSeconds }),
    clock,
    waitSeconds,
    embedDomain: PUBLIC_URL,
    sessionLengthSeconds: 3600,
    report(what: string, error: unknown) {
      reports.push(what)
      reported.push(error)
    },
  }
  return {
    sessions: createEmbedSessions({ ...common, singleFlight: createSingleFlight(), renewBeforeSeconds: 60 }),
    broker: createTokenBroker({ ...common, singleFlight: createSingleFlight(), shared: true, observe: () => {} }),
    client,
    vault: common.vault,
    reports,
    reported,
    urls: ({ secret, algorithm = 'hmac/sha-256' } = {}) =>
      createEmbedUrls({
        ...common,
        webUrl: looker.url,
        secret: secret === undefined ? undefined : constant(secret),
        algorithm,
      }),
  }
}

export interface Turnable extends Replica {
  readonly looker: EmulatedLooker
  readonly clock: Clock
  /** One clock for both stands still unless turned. */
  advance(seconds: number): void
  count(operation: string): number
}

/** An emulated Looker and a replica before it, in time that stands still. */
export async function startTurnable(): Promise<Turnable> {
  const started = Math.floor(Date.now() / 1000) * 1000
  const clock = createTurnableClock(() => started)
  const looker = await startEmulatedLooker({ now: clock.now })
  onTestFinished(() => looker.close())
  const replica = openReplica(looker, { clock })
  return { ...replica, looker, clock, advance: clock.advance, count: looker.calls.count }
}

/** What a page has to show for itself when it asks for new tokens. */
export function pageTokens(held: { api: { token: Secret }; navigation: { token: Secret } }) {
  return { apiToken: held.api.token, navigationToken: held.navigation.token }
}

/** Whole seconds that are left, as an endpoint would write them. */
export function left(clock: Clock, expiresAt: number): number {
  return Math.floor((expiresAt - clock.now()) / 1000)
}
