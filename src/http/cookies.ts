import { randomBytes } from 'node:crypto'

/** As long as a sign-in may take; each new one begins it anew. */
const SIGN_IN_SECONDS = 10 * 60
const SECRET = /^[\w-]{43}$/
/** More is no browser that signs in, and each is hashed. */
const MAX_SECRETS = 16

/** What binds a sign-in to the browser that began it. */
export interface BrowserSecret {
  readonly secret: string
  /** The `Set-Cookie` that leaves it with the browser, or keeps it there. */
  readonly setCookie: string
}

/**
 * Sallyport's cookies. Over https their names begin with `__Host-` (RFC 6265bis §4.1.3.2), so that no other host and no plain
 * connection can set them; over plain loopback, where browsers would drop such a cookie, they do not.
 */
export interface Cookies {
  /** The name of the session cookie. */
  readonly session: string
  setSession(id: string): string
  clearSession(): string
  /** The secrets that a browser shows, in a `Cookie` header. */
  browserSecrets(header: string | undefined): readonly string[]
  /** One that the browser has, or a new one. */
  browserSecret(header: string | undefined): BrowserSecret
}

export function createCookies(publicUrl: string): Cookies {
  const secure = publicUrl.startsWith('https:')
  const session = secure ? '__Host-sallyport' : 'sallyport'
  const attributes = `Path=/; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`
  // Tabs that begin at once all find no cookie, and the last to be set must not take the others' sign-ins away: so each is
  // given one under a name of its own, and whoever comes later finds one and shares it.
  const prefix = `${session}-login-`

  const shown = (header: string | undefined): (readonly [name: string, secret: string])[] =>
    (header ?? '')
      .split(';')
      .map(pair => pair.trim().split('=', 2) as [string, string])
      .filter(([name, secret]) => name.startsWith(prefix) && SECRET.test(secret))
      .slice(0, MAX_SECRETS)

  return {
    session,
    setSession: id => `${session}=${id}; ${attributes}`,
    clearSession: () => `${session}=; Max-Age=0; ${attributes}`,
    browserSecrets: header => shown(header).map(([, secret]) => secret),
    browserSecret(header) {
      const [name, secret] = shown(header)[0] ?? [
        `${prefix}${randomBytes(6).toString('base64url')}`,
        randomBytes(32).toString('base64url'),
      ]
      return { secret, setCookie: `${name}=${secret}; Max-Age=${SIGN_IN_SECONDS}; ${attributes}` }
    },
  }
}
