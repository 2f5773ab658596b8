import type { Clock } from '../core/clock.ts'
import type { Claims } from '../core/identity.ts'
import { CLOCK_SKEW_SECONDS, reject, verifyRegistered } from './claims.ts'
import { MAX_TOKEN_BYTES, parseCompactJws } from './compact-jws.ts'
import type { LoginIssuer } from './login-client.ts'
import { refuseOtherTypes, verifySignature } from './verify-signature.ts'

const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
const TYPES = new Set([undefined, 'jwt', 'logout+jwt', 'application/logout+jwt'])
/** §4 asks issuers for two minutes at most; the rest is for those who queue what they send. */
const MAX_AGE_SECONDS = 10 * 60

/** Whose sessions an issuer wants ended. */
export interface LogoutRequest {
  /** The issuer's name in the configuration. */
  readonly issuer: string
  /** At least one of the two is there. */
  readonly subject: string | undefined
  readonly sid: string | undefined
}

export interface LogoutTokens {
  /**
   * Verifies a logout token (OpenID Connect Back-Channel Logout 1.0 §2.6) and does what it asks for, once.
   * @param act what it asks for. Where that fails the token is as good as before, so that the issuer can send it again.
   * @throws {Refusal} `token-rejected`, `issuer-unavailable`, or what `act` rejects with.
   */
  use<T>(token: string, act: (request: LogoutRequest) => Promise<T>): Promise<T>
}

export interface LogoutTokenDeps {
  readonly issuers: readonly LoginIssuer[]
  readonly clock: Clock
  readonly vault: {
    lease(
      place: { readonly kind: string; readonly owner: string },
      ttlMilliseconds: number,
    ): Promise<{ release(): Promise<void> } | undefined>
  }
}

export function createLogoutTokens({ issuers, clock, vault }: LogoutTokenDeps): LogoutTokens {
  const byUrl = new Map(issuers.map(entry => [entry.issuer.options.issuer, entry]))

  return {
    async use(token, act) {
      if (token.length > MAX_TOKEN_BYTES) throw reject('too-long', `the token is longer than ${MAX_TOKEN_BYTES} bytes`)
      const jws = parseCompactJws(token)
      if (jws === undefined) throw reject('malformed', 'the token is not a well-formed compact JWT')
      const claims = jws.payload
      const from = typeof claims['iss'] === 'string' ? byUrl.get(claims['iss']) : undefined
      if (from === undefined) throw reject('unknown-issuer', 'iss is not an issuer that people sign in with')
      const { issuer, login } = from
      refuseOtherTypes(jws, TYPES)
      await verifySignature(token, jws, issuer)
      const { name, issuer: url } = issuer.options
      const endsAt = verifyRegistered(claims, { issuer: url, audiences: [login.clientId] }, clock)
      const until = Math.min(endsAt, issuedAt(claims, clock) + MAX_AGE_SECONDS * 1000) + CLOCK_SKEW_SECONDS * 1000
      const request = { issuer: name, ...named(claims) }
      // A lease that is kept: whoever sends the token again finds it taken, on any replica.
      const place = { kind: 'logout-token', owner: `${name}\n${text(claims, 'jti') ?? missing('jti')}` }
      const lease = await vault.lease(place, until - clock.now())
      if (lease === undefined) throw reject('replayed', 'jti was seen before')
      try {
        return await act(request)
      } catch (error) {
        await lease.release().catch(() => {})
        throw error
      }
    },
  }
}

/** What a logout token has to say and what it must not (§2.4). */
function named(claims: Claims): { subject: string | undefined; sid: string | undefined } {
  const events = claims['events']
  if (!isObject(events) || !Object.hasOwn(events, EVENT) || !isObject(events[EVENT])) {
    throw reject('token-type', 'events does not say that this is a logout token')
  }
  // An ID token must not end sessions, nor a logout token begin one.
  if (claims['nonce'] !== undefined) throw reject('token-type', 'a logout token has no nonce')
  const [subject, sid] = [text(claims, 'sub'), text(claims, 'sid')]
  if (subject === undefined && sid === undefined) throw reject('missing-claim', 'sub and sid are both missing')
  return { subject, sid }
}

/** @returns milliseconds since the epoch. */
function issuedAt(claims: Claims, clock: Clock): number {
  const seconds = claims['iat']
  if (typeof seconds !== 'number') return missing('iat')
  if (seconds + MAX_AGE_SECONDS + CLOCK_SKEW_SECONDS < clock.now() / 1000) {
    throw reject('expired', 'the token was issued too long ago')
  }
  return seconds * 1000
}

function text(claims: Claims, name: string): string | undefined {
  const value = claims[name]
  if (value === undefined) return undefined
  if (typeof value !== 'string' || value === '' || value.length > 1024)
    throw reject('bad-claim', `${name} is not plain text`)
  return value
}

function missing(name: string): never {
  throw reject('missing-claim', `${name} is missing`)
}

function isObject(value: unknown): value is Claims {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
