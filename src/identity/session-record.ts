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
    /** Only where Looker is to have it: nobody else needs it once the sign-in is over. */
    readonly accessToken: Secret | undefined
    readonly refreshToken: Secret | undefined
    /** Milliseconds since the epoch when the access token lapses, counted from before the issuer was asked; undefined: not said. */
    readonly expiresAt: number | undefined
    /** The same for the refresh token. */
    readonly refreshExpiresAt?: number | undefined
  }
}

/** The issuer's tokens of a session that Looker is to have. Times are milliseconds since the epoch. */
export interface TokensForLooker {
  readonly accessToken: Secret
  readonly expiresAt: number
  readonly refreshToken: Secret | undefined
  readonly refreshExpiresAt: number | undefined
  readonly obtainedAt: number
}

/** Whose a session is to the issuer: what a logout token can name it by. */
export interface SessionOwner {
  readonly issuer: string
  /** The `sub` of the ID token, whatever the configuration takes for the subject. */
  readonly sub: string
  /** The issuer's own id of its session, if it gives one (OIDC Back-Channel Logout 1.0 §2.1). */
  readonly sid: string | undefined
}

/** A session as the store has it. */
export interface SessionRecord extends SessionOwner {
  /** Another one after every refresh. */
  readonly version: string
  readonly claims: Claims
  readonly idToken: Secret
  /** Only where Looker is to have it. */
  readonly accessToken: Secret | undefined
  readonly refreshToken: Secret | undefined
  readonly tokensAt: number
  readonly tokensEndAt: number
  /** Undefined where the issuer does not say. */
  readonly refreshTokenEndsAt: number | undefined
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
/** Of the lease on a session's refresh; and what is announced by this name has been refreshed and is not over. */
export const refreshPlace = (id: string): Place => ({ kind: 'session-refresh', owner: id })
/** That it was ended because its person has signed in anew. */
export const replacedPlace = (id: string): Place => ({ kind: 'session-replaced', owner: id })

export function newRecord(
  { issuer, claims, tokens }: SignedIn,
  session: Pick<SessionRecord, 'sub' | 'sid' | 'tokensAt' | 'endsAt' | 'signOutsBefore'>,
): SessionRecord {
  const { idToken, accessToken, refreshToken, expiresAt, refreshExpiresAt } = tokens
  const tokensEndAt = expiresAt ?? session.tokensAt + UNSAID_LIFE_MILLISECONDS
  return {
    ...session,
    version: randomBytes(9).toString('base64url'),
    issuer,
    claims,
    idToken,
    accessToken,
    refreshToken,
    tokensEndAt,
    refreshTokenEndsAt: refreshExpiresAt,
  }
}

export function tokensForLooker(record: SessionRecord): TokensForLooker | undefined {
  const { accessToken, refreshToken, tokensAt, tokensEndAt, refreshTokenEndsAt } = record
  return (
    accessToken && {
      accessToken,
      expiresAt: tokensEndAt,
      refreshToken,
      refreshExpiresAt: refreshTokenEndsAt,
      obtainedAt: tokensAt,
    }
  )
}

export function serialiseRecord({ idToken, accessToken, refreshToken, ...rest }: SessionRecord): unknown {
  const [access, refresh] = [accessToken?.reveal(), refreshToken?.reveal()]
  return { ...rest, idToken: idToken.reveal(), accessToken: access, refreshToken: refresh }
}

export function parseRecord(value: unknown): SessionRecord | undefined {
  const { version, issuer, sub, sid, claims, idToken, accessToken, refreshToken, ...rest } = value as Record<
    string,
    unknown
  >
  const { tokensAt, tokensEndAt, refreshTokenEndsAt, endsAt, signOutsBefore } = rest
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
    accessToken: typeof accessToken === 'string' ? new Secret(accessToken) : undefined,
    refreshToken: typeof refreshToken === 'string' ? new Secret(refreshToken) : undefined,
    tokensAt,
    tokensEndAt,
    refreshTokenEndsAt: typeof refreshTokenEndsAt === 'number' ? refreshTokenEndsAt : undefined,
    endsAt,
    signOutsBefore: signOutsBefore as string[],
  }
}
