export type Claims = Readonly<Record<string, unknown>>

/** A person whose credential was verified. Everything in it was asserted by the issuer. */
export interface Identity {
  /** The issuer's name in the configuration. */
  readonly issuer: string
  /** The issuer's `iss`. */
  readonly issuerUrl: string
  readonly subject: string
  /** Absent when the issuer gives none, or says `email_verified: false`. */
  readonly email: string | undefined
  readonly name: string | undefined
  readonly preferredUsername: string | undefined
  readonly groups: readonly string[]
  readonly claims: Claims
  /** Milliseconds since the epoch; the credential is void from then on. */
  readonly expiresAt: number
  readonly method: 'jwt' | 'introspection' | 'session'
}

/** Reads `claims.a.b` for the path `a.b`; a claim whose own name has dots (a URL) is found first. */
export function claimAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path]
  let value: unknown = claims
  for (const part of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as Claims)[part]
  }
  return value
}
