import type { IEmbedCookielessSessionAcquireResponse } from '@looker/sdk'
import type { Clock } from '../core/clock.ts'
import { Refusal } from '../core/failure.ts'
import type { LookerScope } from '../core/looker-scope.ts'
import { Secret } from '../core/secret.ts'
import type { CallContext, LookerClient } from './client.ts'
import { embedUserOf } from './embed-user.ts'

/** Times are milliseconds since the epoch, counted from before Looker was asked. */
export interface EmbedToken {
  readonly token: Secret
  readonly expiresAt: number
}

/** What keeps an iframe going. */
export interface EmbedTokens {
  readonly navigation: EmbedToken
  readonly api: EmbedToken
  readonly sessionExpiresAt: number
}

export interface EmbedAnswer extends EmbedTokens {
  /** The session itself. It never leaves this process but sealed. */
  readonly reference: Secret
  /** Single use: starts the session in one iframe. */
  readonly authentication: EmbedToken
}

export interface AcquireOptions {
  readonly embedDomain: string
  readonly sessionSeconds: number
  /** A live session to join: the user is not updated by it then, and the session not extended. */
  readonly reference?: Secret | undefined
}

/** Begins a cookieless session, which makes or updates its user; or joins one. Looker's refusals are thrown as they came. */
export async function acquireSession(
  looker: LookerClient,
  clock: Clock,
  scope: LookerScope,
  { embedDomain, sessionSeconds, reference }: AcquireOptions,
  context: CallContext,
): Promise<EmbedAnswer> {
  const askedAt = clock.now()
  const answer = await looker.call(
    'acquire_embed_cookieless_session',
    (sdk, options) =>
      sdk.acquire_embed_cookieless_session(
        {
          ...embedUserOf(scope),
          embed_domain: embedDomain,
          session_length: sessionSeconds,
          // The definition goes along all the same: Looker begins anew, with it, where the session is over there.
          ...(reference === undefined ? {} : { session_reference_token: reference.reveal() }),
        },
        options,
      ),
    context,
  )
  const { session_reference_token: text, authentication_token: token, authentication_token_ttl: ttl } = answer
  return {
    ...readTokens(answer, askedAt),
    reference: new Secret(readText(text)),
    authentication: readToken(token, ttl, askedAt),
  }
}

/** @throws {Refusal} `looker-unavailable`, reason `bad-answer`, where a part is missing: the iframe would hang on it. */
export function readTokens(
  answer: Omit<IEmbedCookielessSessionAcquireResponse, 'session_reference_token'>,
  askedAt: number,
): EmbedTokens {
  return {
    navigation: readToken(answer.navigation_token, answer.navigation_token_ttl, askedAt),
    api: readToken(answer.api_token, answer.api_token_ttl, askedAt),
    sessionExpiresAt: endOf(answer.session_reference_token_ttl, askedAt),
  }
}

function readToken(text: unknown, ttl: unknown, askedAt: number): EmbedToken {
  return { token: new Secret(readText(text)), expiresAt: endOf(ttl, askedAt) }
}

function readText(text: unknown): string {
  if (typeof text !== 'string' || text === '') throw nonsense('a token is missing')
  return text
}

function endOf(ttl: unknown, askedAt: number): number {
  if (typeof ttl !== 'number' || !(ttl >= 0)) throw nonsense(`a time to live is ${JSON.stringify(ttl)}`)
  return askedAt + Math.floor(ttl) * 1000
}

function nonsense(what: string): Refusal {
  return new Refusal(
    { kind: 'looker-unavailable', reason: 'bad-answer', retryAfterSeconds: 5 },
    { cause: new Error(`Looker’s answer about an embed session cannot be used: ${what}`) },
  )
}
