import { randomBytes } from 'node:crypto'
import type { Claims } from '../core/identity.ts'
import { Secret } from '../core/secret.ts'

/** An issuer that does not say how long its access token lives is asked again after this long (RFC 6749 §5.1: it should say). */
const UNSAID_LIFE_MILLISECONDS = 3_600_000

/** What an issuer gave for one sign-in or one refresh, already verified. */
export interface SignedIn {
  /** The issuer's name in the configuration. */
  readonly issuer: string
  /** Claims of the verified ID token (with those of userinfo beneath it). */
  readonly claims: Claims
  readonly tokens: {
    readonly idToken: Secret
    readonly accessToken: Secret | undefined
    readonly refreshToken: Secret | undefined
    /** Milliseconds since the epoch when the access token lapses, counted from before the issuer was asked; undefined: not said. */
    readonly expiresAt: number | undefined
  }
}

/** Whose a session is to the issuer: what a logout token can name it by. */
export interface SessionOwner {
  readonly issuer: string
  /** The `sub` of the ID token, whatever the configuration takes for the subject. */
  readonly sub: string
  /** The issuer's own id of its session, if it gives one (OIDC Back-Channel Logout 1.0 §2.1). */
  readonly sid: string | undefined
}

/** A session as the store has it. The access token is not in it: nobody needs it once the sign-in is over. */
export interface SessionRecord extends SessionOwner {
  /** Another one after every refresh. */
  readonly version: string
  readonly claims: Claims
  readonly idToken: Secret
  readonly refreshToken: Secret | undefined
  readonly tokensAt: number
  readonly tokensEndAt: number
  /** The absolute limit. The idle limit is the life of the record in the store. */
  readonly endsAt: number
  /** The sign-outs that were on record when the session began: only others end it. */
  readonly signOutsBefore: readonly string[]
}

/** The part of the vault that is used here. */
export interface SessionVault {
  read<T>(place: Place, parse: (value: unknown) => T | undefined): Promise<T | undefined>
  write(place: Place, value: unknown, ttlMilliseconds: number): Promise<void>
  replace(place: Place, value: unknown, ttlMilliseconds: number): Promise<boolean>
  touch(place: Place, ttlMilliseconds: number): Promise<boolean>
  take<T>(place: Place, parse: (value: unknown) => T | undefined): Promise<T | undefined>
  lease(
    place: Place,
    ttlMilliseconds: number,
  ): Promise<{ extend(ttlMilliseconds: number): Promise<boolean>; release(): Promise<void> } | undefined>
  awaitRelease(place: Place, milliseconds: number): Promise<void>
  announce(place: Place): void
  onAnnounced(listener: (name: string) => void): void
  nameOf(place: Place): string
}

interface Place {
  readonly kind: string
  readonly owner: string
}

export const sessionPlace = (id: string): Place => ({ kind: 'session', owner: id })

export function newRecord(
  { issuer, claims, tokens }: SignedIn,
  session: Pick<SessionRecord, 'sub' | 'sid' | 'tokensAt' | 'endsAt' | 'signOutsBefore'>,
): SessionRecord {
  const { idToken, refreshToken, expiresAt } = tokens
  const tokensEndAt = expiresAt ?? session.tokensAt + UNSAID_LIFE_MILLISECONDS
  return {
    ...session,
    version: randomBytes(9).toString('base64url'),
    issuer,
    claims,
    idToken,
    refreshToken,
    tokensEndAt,
  }
}

export function serialiseRecord({ idToken, refreshToken, ...rest }: SessionRecord): unknown {
  return { ...rest, idToken: idToken.reveal(), refreshToken: refreshToken?.reveal() }
}

export function parseRecord(value: unknown): SessionRecord | undefined {
  const { version, issuer, sub, sid, claims, idToken, refreshToken, tokensAt, tokensEndAt, endsAt, signOutsBefore } =
    value as Record<string, unknown>
  if (typeof version !== 'string' || typeof issuer !== 'string' || typeof sub !== 'string') return undefined
  if (typeof claims !== 'object' || claims === null || typeof idToken !== 'string') return undefined
  if (typeof tokensAt !== 'number' || typeof tokensEndAt !== 'number' || typeof endsAt !== 'number') return undefined
  if (!Array.isArray(signOutsBefore)) return undefined
  return {
    version,
    issuer,
    sub,
    sid: typeof sid === 'string' ? sid : undefined,
    claims: claims as Claims,
    idToken: new Secret(idToken),
    refreshToken: typeof refreshToken === 'string' ? new Secret(refreshToken) : undefined,
    tokensAt,
    tokensEndAt,
    endsAt,
    signOutsBefore: signOutsBefore as string[],
  }
}
