import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

/** The endpoints by what they are for: what is counted, and what can be broken. */
export type PathFamily =
  | 'discovery'
  | 'jwks'
  | 'token'
  | 'introspection'
  | 'revocation'
  | 'userinfo'
  | 'authorization'
  | 'interaction'
  | 'logout'
  | 'other'

/** `down` resets the connection, `error` is a 500, `bad-json` a 200 whose JSON is cut short, `slowMs` answers late. */
export type Fault = 'down' | 'error' | 'bad-json' | { readonly slowMs: number }

const exactPaths: Readonly<Record<string, PathFamily>> = {
  '/.well-known/openid-configuration': 'discovery',
  '/.well-known/oauth-authorization-server': 'discovery',
  '/jwks': 'jwks',
  '/token': 'token',
  '/token/introspection': 'introspection',
  '/token/revocation': 'revocation',
  '/me': 'userinfo',
}

export function familyOf(pathname: string): PathFamily {
  const exact = exactPaths[pathname]
  if (exact) return exact
  if (pathname === '/auth' || pathname.startsWith('/auth/')) return 'authorization'
  if (pathname.startsWith('/interaction/')) return 'interaction'
  if (pathname.startsWith('/session/')) return 'logout'
  return 'other'
}

export function createHits(): Record<PathFamily, number> {
  return {
    discovery: 0,
    jwks: 0,
    token: 0,
    introspection: 0,
    revocation: 0,
    userinfo: 0,
    authorization: 0,
    interaction: 0,
    logout: 0,
    other: 0,
  }
}

export interface Faults {
  /** Breaks one family, or all of them, until cleared. */
  fail(family: PathFamily | 'all', fault: Fault): void
  /** Mends one family, or everything. */
  clear(family?: PathFamily): void
  /** Resolves true when the fault has answered, so that nothing more is to be done for the request. */
  apply(family: PathFamily, request: IncomingMessage, response: ServerResponse): Promise<boolean>
}

/** `signal` ends every wait of a slow answer: it is aborted when the issuer closes. */
export function createFaults(signal: AbortSignal): Faults {
  const faults = new Map<PathFamily | 'all', Fault>()
  return {
    fail: (family, fault) => void faults.set(family, fault),
    clear: family => (family ? void faults.delete(family) : faults.clear()),
    apply: async (family, request, response) => {
      const fault = faults.get(family) ?? faults.get('all')
      if (fault === undefined) return false
      if (typeof fault === 'object') {
        await delay(fault.slowMs, undefined, { signal }).catch(() => undefined)
        // Whoever gave up waiting has no socket left to be answered on.
        return request.socket.destroyed
      }
      // Unread bodies would keep the client from seeing the answer.
      request.resume()
      if (fault === 'down') request.socket.resetAndDestroy()
      else if (fault === 'error') response.writeHead(500, { 'content-type': 'text/plain' }).end('out of order')
      else response.writeHead(200, { 'content-type': 'application/json' }).end('{"issuer": "http://127.0.')
      return true
    },
  }
}
