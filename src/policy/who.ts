import { claimAt, type Identity } from '../core/identity.ts'

export interface WhoOptions {
  readonly groups?: readonly string[] | undefined
  readonly emails?: readonly string[] | undefined
  readonly claims?: Readonly<Record<string, readonly string[]>> | undefined
}

/** Says why an identity is not meant, in words for an administrator; undefined where it is. */
export type Mismatch = (identity: Identity) => string | undefined

/** Compiles the conditions on an identity: each kind that is given has to hold, by any one of its values. */
export function compileWho(options: WhoOptions): Mismatch {
  const checks: Mismatch[] = []
  const { groups, emails, claims } = options
  if (groups !== undefined) {
    const wanted = new Set(groups)
    checks.push(identity =>
      identity.groups.some(group => wanted.has(group))
        ? undefined
        : `needs one of the groups ${list(groups)}; the person is in ${list(identity.groups)}`,
    )
  }
  if (emails !== undefined) {
    const matchers = emails.map(compileEmail)
    checks.push(({ email }) => {
      if (email === undefined)
        return `needs an e-mail address that matches ${list(emails)}; the token has none that is verified`
      return matchers.some(matches => matches(lowerCase(email)))
        ? undefined
        : `needs an e-mail address that matches ${list(emails)}; the person has ${email}`
    })
  }
  for (const [name, values] of Object.entries(claims ?? {})) {
    const wanted = new Set(values)
    checks.push(identity => {
      const claim = claimAt(identity.claims, name)
      const found = (Array.isArray(claim) ? claim : [claim]).filter(isScalar).map(String)
      return found.some(value => wanted.has(value))
        ? undefined
        : `needs the claim ${name} to be one of ${list(values)}; it is ${list(found)}`
    })
  }
  return identity => {
    for (const check of checks) {
      const mismatch = check(identity)
      if (mismatch !== undefined) return mismatch
    }
    return undefined
  }
}

export function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

function compileEmail(pattern: string): (email: string) => boolean {
  const wanted = lowerCase(pattern)
  if (!wanted.startsWith('*@')) return email => email === wanted
  const domain = wanted.slice(1)
  // One "@" only: the local part of `a@evil.com@corp.com` must not pass for an address at corp.com.
  return email =>
    email.endsWith(domain) && email.length > domain.length && email.indexOf('@') === email.length - domain.length
}

/** ASCII alone: in Unicode the Kelvin sign is a capital `k`, and somebody else's address would become this one. */
function lowerCase(text: string): string {
  return text.replaceAll(/[A-Z]/g, letter => letter.toLowerCase())
}

/** For people: each in quotes. */
export function list(values: readonly string[]): string {
  return values.length === 0 ? 'none' : values.map(value => `"${value}"`).join(', ')
}
