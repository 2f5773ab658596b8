import type { Clock } from '../core/clock.ts'
import { type TokenRejection, Refusal } from '../core/failure.ts'
import { type Claims, claimAt, type Identity } from '../core/identity.ts'

/** Clocks of issuers may differ from ours by this much. */
export const CLOCK_SKEW_SECONDS = 60

/** The year 9999: a NumericDate past it is a mistake or a trick (`1e300`). */
const LAST_SECOND = 253_402_300_799

export interface ClaimPaths {
  readonly subject: string
  readonly email: string
  readonly name: string
  readonly groups: string
}

export interface Expectations {
  /** The issuer's name in the configuration. */
  readonly name: string
  /** What `iss` has to be, to the letter. */
  readonly issuer: string
  readonly audiences: readonly string[]
  readonly claims: ClaimPaths
}

export function reject(reason: TokenRejection, detail: string): Refusal {
  return new Refusal({ kind: 'token-rejected', reason, detail })
}

/**
 * Turns the claims of a verified token into an identity (RFC 7519 §4.1, RFC 9068 §4, RFC 7662 §2.2).
 * @throws {Refusal} `token-rejected` with the first claim that does not hold.
 */
export function identityFrom(
  claims: Claims,
  expected: Expectations,
  method: Identity['method'],
  clock: Clock,
): Identity {
  const expiresAt = verifyRegistered(claims, expected, clock)
  // RFC 9449 §7.1, RFC 8705 §3: a token bound to a key is worth nothing without proof of that key, which a bearer does not give.
  if (claims['cnf'] !== undefined) throw reject('bound-to-key', 'the token is bound to a key, and none was proved')
  return identityFromClaims(claims, expected, method, expiresAt)
}

/**
 * Holds `iss`, `aud`, `exp`, `nbf` and `iat` to what is expected (RFC 7519 §4.1).
 * @returns when the token expires, in milliseconds since the epoch.
 * @throws {Refusal} `token-rejected`.
 */
export function verifyRegistered(
  claims: Claims,
  expected: Pick<Expectations, 'issuer' | 'audiences'>,
  clock: Clock,
): number {
  if (claims['iss'] !== expected.issuer) throw reject('unknown-issuer', 'iss is not the issuer that was asked')
  const audience = claims['aud']
  const audiences = Array.isArray(audience) ? audience : [audience]
  if (!audiences.some(value => typeof value === 'string' && expected.audiences.includes(value))) {
    throw reject('audience', 'aud does not name this service')
  }
  const nowSeconds = clock.now() / 1000
  const expiry = claims['exp']
  if (expiry === undefined) throw reject('missing-claim', 'exp is missing')
  if (!isNumericDate(expiry)) throw reject('bad-claim', 'exp is not a date in seconds')
  if (expiry + CLOCK_SKEW_SECONDS <= nowSeconds) throw reject('expired', 'the token has expired')
  for (const name of ['nbf', 'iat']) {
    const value = claims[name]
    if (value === undefined) continue
    if (!isNumericDate(value)) throw reject('bad-claim', `${name} is not a date in seconds`)
    if (value - CLOCK_SKEW_SECONDS > nowSeconds) throw reject('not-yet-valid', `${name} is in the future`)
  }
  return expiry * 1000
}

/**
 * Reads a person out of claims that were verified before, whatever has become of the token they came in.
 * @throws {Refusal} `token-rejected` where a claim is not what it has to be.
 */
export function identityFromClaims(
  claims: Claims,
  expected: Expectations,
  method: Identity['method'],
  expiresAt: number,
): Identity {
  const subject = text(claims, expected.claims.subject)
  if (subject === undefined) throw reject('missing-claim', `${expected.claims.subject} is missing`)
  const verified = claims['email_verified'] !== false && claims['email_verified'] !== 'false'
  return {
    issuer: expected.name,
    issuerUrl: expected.issuer,
    subject,
    email: verified ? text(claims, expected.claims.email) : undefined,
    name: text(claims, expected.claims.name),
    preferredUsername: text(claims, 'preferred_username'),
    groups: groupsOf(claimAt(claims, expected.claims.groups), expected.claims.groups),
    claims,
    expiresAt,
    method,
  }
}

function isNumericDate(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= LAST_SECOND
}

// oxlint-disable-next-line no-control-regex -- control characters are what is looked for: they would split a header or a log line
const CONTROL = /[\u0000-\u001f\u007f]/

function text(claims: Claims, path: string): string | undefined {
  const value = claimAt(claims, path)
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value !== 'string' || value.length > 1024 || CONTROL.test(value)) {
    throw reject('bad-claim', `${path} is not plain text of at most 1024 characters`)
  }
  return value
}

function groupsOf(value: unknown, path: string): readonly string[] {
  if (value === undefined || value === null) return []
  const groups = Array.isArray(value) ? value : [value]
  for (const group of groups) {
    if (typeof group !== 'string' || CONTROL.test(group)) throw reject('bad-claim', `${path} is not a list of names`)
  }
  return groups
}
