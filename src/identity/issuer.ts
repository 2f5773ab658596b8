import type { JWK } from 'jose'
import * as oidc from 'openid-client'
import { type Dispatcher, fetch as undiciFetch } from 'undici'
import { boundedText } from '../core/bounded-text.ts'
import type { Clock } from '../core/clock.ts'
import type { SecretSource } from '../core/secret.ts'
import type { Expectations } from './claims.ts'
import { createKeySet, type KeySet, REFRESH_MILLISECONDS } from './key-set.ts'

/** The deadline of one call to an issuer. */
const TIMEOUT_SECONDS = 5
/** Discovery documents and key sets are a few kB; more is not ours to hold in memory. */
const MAX_ANSWER_BYTES = 1_000_000
const FIRST_RETRY_MILLISECONDS = 250
const LAST_RETRY_MILLISECONDS = 30_000

export interface IssuerOptions extends Expectations {
  readonly algorithms: readonly string[]
  readonly allowIdTokens: boolean
  readonly introspection: { readonly clientId: string; readonly clientSecret: SecretSource } | undefined
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  /** Hears of each attempt to reach the issuer: `undefined` when it went well. */
  readonly report: (error: unknown) => void
}

/** One OIDC issuer: its discovery document (OpenID Connect Discovery 1.0), its keys, its introspection. */
export interface Issuer {
  readonly options: IssuerOptions
  readonly keys: KeySet
  /** Undefined until discovery succeeded. */
  configuration(): oidc.Configuration | undefined
  /**
   * Fetches discovery and keys in the background, with growing and jittered pauses until they are there, and the keys
   * again and again: those of a sidecar that nobody calls must not grow too old for it to be ready.
   */
  start(): void
  /** Resolves when discovery and keys have been had once. */
  readonly loaded: Promise<void>
  close(): void
}

export function createIssuer(options: IssuerOptions): Issuer {
  let configuration: oidc.Configuration | undefined
  let timer: NodeJS.Timeout | undefined
  const closed = new AbortController()
  const { promise: loaded, resolve: markLoaded } = Promise.withResolvers<void>()

  const fetch: oidc.CustomFetch = async (url, init) => {
    const response = await undiciFetch(url, {
      ...init,
      body: init.body ?? null,
      dispatcher: options.dispatcher,
      // A redirect could lead the client secret or our trust anywhere.
      redirect: 'error',
      signal: AbortSignal.any([closed.signal, AbortSignal.timeout(TIMEOUT_SECONDS * 1000)]),
    })
    const body = await boundedText(response.body, MAX_ANSWER_BYTES)
    const status = response.status === 204 || response.status === 304 ? null : body
    return new Response(status, { status: response.status, headers: [...response.headers] })
  }

  const discover = async (): Promise<oidc.Configuration> => {
    const client = options.introspection
    const insecure = options.issuer.startsWith('http:') ? [oidc.allowInsecureRequests] : []
    const found = await oidc.discovery(
      new URL(options.issuer),
      client?.clientId ?? 'sallyport',
      undefined,
      // The secret is asked for at each call, so that a rotated one counts at once.
      client === undefined
        ? oidc.None()
        : (server, metadata, body, headers) =>
            oidc.ClientSecretBasic(client.clientSecret.current().reveal())(server, metadata, body, headers),
      { execute: insecure, [oidc.customFetch]: fetch, timeout: TIMEOUT_SECONDS },
    )
    const said = found.serverMetadata().issuer
    if (said !== options.issuer) {
      throw new Error(
        `discovery says the issuer is "${said}"; write exactly that in the configuration if it is the right one`,
      )
    }
    return found
  }

  const fetchKeys = async (): Promise<readonly JWK[]> => {
    configuration ??= await discover()
    const uri = configuration.serverMetadata().jwks_uri
    if (uri === undefined) throw new Error('discovery names no jwks_uri')
    // Keys that anyone on the way could replace are no keys.
    if (options.issuer.startsWith('https:') && !uri.startsWith('https:')) {
      throw new Error('discovery names a jwks_uri that is not https:')
    }
    const response = await fetch(uri, {
      method: 'GET',
      headers: { accept: 'application/json' },
      body: undefined,
      redirect: 'manual',
    })
    const set: unknown = response.status === 200 ? await response.json() : undefined
    const keys = (set as { keys?: unknown } | undefined)?.keys
    if (!Array.isArray(keys)) throw new Error(`the key set could not be read (status ${response.status})`)
    return keys.filter((key): key is JWK => typeof key === 'object' && key !== null)
  }

  const keys = createKeySet({ fetchKeys, algorithms: options.algorithms, clock: options.clock, report: options.report })

  const attempt = async (retryPause: number): Promise<void> => {
    let pause = REFRESH_MILLISECONDS
    let next = FIRST_RETRY_MILLISECONDS
    try {
      await keys.load()
      markLoaded()
    } catch {
      // Reported where it happened.
      pause = retryPause
      next = Math.min(retryPause * 2, LAST_RETRY_MILLISECONDS)
    }
    // Replicas that start together must not come back together: hence the jitter.
    if (!closed.signal.aborted) timer = setTimeout(() => void attempt(next), pause * (0.5 + Math.random()))
  }

  return {
    options,
    keys,
    loaded,
    configuration: () => configuration,
    start: () => void attempt(FIRST_RETRY_MILLISECONDS),
    close() {
      closed.abort()
      clearTimeout(timer)
      void options.dispatcher.destroy()
    },
  }
}
