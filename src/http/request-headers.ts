import { Refusal } from '../core/failure.ts'

/**
 * Sallyport's cookies: the session's and those of a sign-in under way, over https and over plain loopback, and whatever
 * could be taken for one of them: browsers compare a prefix without regard to case, and `-`, `_` and `.` are what names of
 * one cookie in several pieces are made with.
 */
const OWN_COOKIE = /^(?:__(?:host|secure|http|host-http)-)?sallyport(?:[-_.].*)?$/is

/** RFC 9110 §7.6.1 and what came before it; `expect` and `content-length` are settled by the two connections themselves. */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'expect',
]
/** What only we may say, what claims another path or method than the one that was judged. */
const NOT_THE_CALLERS = [
  'forwarded',
  'x-real-ip',
  'x-request-id',
  'x-sallyport-assertion',
  'x-original-url',
  'x-rewrite-url',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
]

/** RFC 9110 §7.2, as names and addresses are in fact written: no user, no list, nothing that a path could begin with. */
const HOST = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/

const OTHER_SPELLING = /[^a-z0-9-]/

type Treatment = 'drop' | 'authorization' | 'cookie' | 'host' | 'connection'
const TREATMENT = new Map<string, Treatment>([
  ...[...HOP_BY_HOP, ...NOT_THE_CALLERS].map(name => [name, 'drop'] as const),
  ['authorization', 'authorization'],
  ['cookie', 'cookie'],
  ['host', 'host'],
  ['connection', 'connection'],
])

/** The headers of one request, read once: what identity needs of them, and what may go on to an upstream. */
export interface ReadHeaders {
  /** Name, value, name, value: as they came, in their order and spelling, less what is never forwarded. */
  readonly forward: string[]
  readonly authorization: string | undefined
  /** Where in `forward` the authorization stands, or -1. */
  readonly authorizationAt: number
  /** The value of the session cookie. */
  readonly session: string | undefined
}

/**
 * @param raw Node's `rawHeaders`.
 * @param sessionCookie the name of the session cookie; absent where nobody can sign in.
 * @throws {Refusal} `bad-request` for a `Host` that is none, and for two `Host` or two `Authorization` headers, of which
 * each reader takes another.
 */
export function readHeaders(raw: readonly string[], sessionCookie?: string): ReadHeaders {
  const forward: string[] = []
  let authorization: string | undefined
  let authorizationAt = -1
  let hosts = 0
  let connection: string | undefined
  let session: string | undefined
  for (let index = 0; index < raw.length; index += 2) {
    const written = raw[index] as string
    const value = raw[index + 1] as string
    const name = written.toLowerCase()
    const treatment = TREATMENT.get(name)
    if (treatment === undefined) {
      // CGI-like apps read `_` (PHP also `.`, others `!` or `~`) and `-` as one, so such a name is another spelling of one we set.
      if (name.startsWith('x-forwarded-') || OTHER_SPELLING.test(name)) continue
      forward.push(written, value)
    } else if (treatment === 'host') {
      if (++hosts > 1) throw new Refusal({ kind: 'bad-request', detail: 'there is more than one Host header' })
      if (!HOST.test(value)) throw new Refusal({ kind: 'bad-request', detail: 'the Host header names no host' })
      forward.push(written, value)
    } else if (treatment === 'authorization') {
      if (authorization !== undefined) {
        throw new Refusal({ kind: 'bad-request', detail: 'there is more than one Authorization header' })
      }
      authorization = value
      authorizationAt = forward.length
      forward.push(written, value)
    } else if (treatment === 'cookie') {
      if (sessionCookie !== undefined) session ??= cookieOf(value, sessionCookie)
      const cookies = withoutOwnCookie(value)
      if (cookies !== '') forward.push(written, cookies)
    } else if (treatment === 'connection') {
      connection = connection === undefined ? value : `${connection},${value}`
    }
  }
  if (connection !== undefined) dropNamed(forward, connection)
  if (authorizationAt !== -1 && connection !== undefined) authorizationAt = findName(forward, 'authorization')
  return { forward, authorization, authorizationAt, session }
}

/** RFC 9110 §7.6.1: headers that `Connection` names are for this connection alone. */
function dropNamed(headers: string[], connection: string): void {
  const lower = connection.toLowerCase()
  if (lower === 'keep-alive' || lower === 'close') return
  const named = new Set(lower.split(',').map(name => name.trim()))
  for (let index = headers.length - 2; index >= 0; index -= 2) {
    const name = (headers[index] as string).toLowerCase()
    if (named.has(name) && name !== 'host' && name !== 'content-length') headers.splice(index, 2)
  }
}

function findName(headers: readonly string[], wanted: string): number {
  for (let index = 0; index < headers.length; index += 2) {
    if ((headers[index] as string).toLowerCase() === wanted) return index
  }
  return -1
}

/** The value of the first cookie of this name. */
export function cookieOf(header: string, name: string): string | undefined {
  if (!header.includes(name)) return undefined
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=')
    // Nothing but spaces is forgiven: a browser does not guard the prefix of a name that begins with other blanks.
    if (equals !== -1 && pair.slice(0, equals).replace(/^ +/, '') === name) return pair.slice(equals + 1).trim()
  }
  return undefined
}

const SALLYPORT = /sallyport/i

function withoutOwnCookie(header: string): string {
  if (!SALLYPORT.test(header)) return header
  return header
    .split(';')
    .filter(pair => !isOwnCookie(pair))
    .join(';')
    .trim()
}

/** What concerns the upstream's connection alone, and the request id, which is ours to say. */
const RESPONSE_DROP = new Set([...HOP_BY_HOP, 'connection', 'x-request-id'])

/**
 * An upstream's headers as they may go on to the client.
 * @param headers name, value, name, value; names in lower case.
 * @param setByUs names (lower case) that an answer may have only from us.
 */
export function responseHeaders(headers: readonly string[], setByUs?: ReadonlySet<string>): string[] {
  const out: string[] = []
  let connection: string | undefined
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string
    const value = headers[index + 1] as string
    if (RESPONSE_DROP.has(name)) {
      if (name === 'connection') connection = connection === undefined ? value : `${connection},${value}`
      continue
    }
    if (setByUs?.has(name) === true || (name === 'set-cookie' && isOwnCookie(value))) continue
    out.push(name, value)
  }
  if (connection !== undefined) dropNamed(out, connection)
  return out
}

/**
 * Whether a cookie, as it is set or sent, is ours or would come back as ours: an app that sets our cookie chooses somebody's
 * session. A browser keeps `=sallyport=x` as a cookie without a name and sends it as `sallyport=x`.
 */
function isOwnCookie(cookie: string): boolean {
  if (!SALLYPORT.test(cookie)) return false
  const pair = cookie.split(';', 1)[0]?.replace(/^[\s=]+/, '') ?? ''
  return OWN_COOKIE.test(pair.split('=', 1)[0]?.trim() ?? '')
}
