import type { TokenEndpointResponse } from 'openid-client'
import { Secret } from '../core/secret.ts'

/** Gives refresh tokens to who asks in its own words, and refuses a scope that it does not know. */
const GOOGLE = 'https://accounts.google.com'
const BIGQUERY = 'https://www.googleapis.com/auth/bigquery'
const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform'
const OFFLINE_ACCESS = 'offline_access'
/** They open no database, and issuers grant them in other words or without a word. */
const OF_OPENID_CONNECT = new Set(['openid', 'profile', 'email', 'address', 'phone', OFFLINE_ACCESS])

/** Why Looker gets none of a person's tokens, or none that last. */
export type TokenTrouble =
  | { readonly kind: 'scopes-not-granted'; readonly scopes: readonly string[] }
  | { readonly kind: 'no-refresh-token' }

/** Of an issuer whose people bring their tokens to Looker. */
export interface ForLooker {
  report(trouble: TokenTrouble): void
}

/** The scopes to ask for: those of the configuration, and what gives a refresh token, or opens BigQuery at Google. */
export function scopesForLooker(issuer: string, scopes: readonly string[]): readonly string[] {
  if (issuer !== GOOGLE) return [...new Set([...scopes, OFFLINE_ACCESS])]
  const known = scopes.filter(scope => scope !== OFFLINE_ACCESS)
  const opens = known.some(scope => scope.startsWith(BIGQUERY) || scope === CLOUD_PLATFORM)
  return opens ? known : [...known, BIGQUERY]
}

/** Parameters of the authorization request. Without consent offline access is ignored (OpenID Connect Core §11). */
export function offlineParameters(issuer: string, scopes: readonly string[]): Record<string, string> {
  return {
    scope: scopesForLooker(issuer, scopes).join(' '),
    prompt: 'consent',
    ...(issuer === GOOGLE ? { access_type: 'offline' } : {}),
  }
}

/**
 * The access token of an answer, where Looker can do something with it. People may agree to a part of what they are asked
 * for, and still have signed in.
 * @param before of a refresh: whether the access token before this one was good for Looker.
 */
export function tokenForLooker(
  { report }: ForLooker,
  asked: readonly string[],
  answer: TokenEndpointResponse,
  before?: { readonly good: boolean },
): Secret | undefined {
  // RFC 6749 §5.1 and §6: an issuer that does not say grants what was asked for, or what it granted before.
  if (answer.scope === undefined && before?.good === false) return undefined
  const granted = new Set((answer.scope ?? asked.join(' ')).split(' '))
  const missing = asked.filter(scope => !OF_OPENID_CONNECT.has(scope) && !granted.has(scope))
  if (missing.length > 0) {
    if (before?.good !== false) report({ kind: 'scopes-not-granted', scopes: missing })
    return undefined
  }
  if (before === undefined && answer.refresh_token === undefined) report({ kind: 'no-refresh-token' })
  return new Secret(answer.access_token)
}

/**
 * When the refresh token lapses, in milliseconds since the epoch, where the issuer says so. No RFC has a word for it:
 * Google says `refresh_token_expires_in`, Keycloak `refresh_expires_in`, which is 0 for one that does not lapse.
 */
export function refreshTokenEnd(answer: TokenEndpointResponse, askedAt: number): number | undefined {
  const seconds = answer['refresh_token_expires_in'] ?? answer['refresh_expires_in']
  return typeof seconds === 'number' && seconds > 0 ? askedAt + seconds * 1000 : undefined
}
