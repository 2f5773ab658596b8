import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { FastifyRequest, onRequestHookHandler } from 'fastify'
import { type AuthReason, type Failure, Refusal } from '../core/failure.ts'
import type { Identity } from '../core/identity.ts'
import { type AccessRule, Permit } from '../core/permit.ts'
import { type Exchange, exchangeOf } from './exchange.ts'

export interface GuardDeps {
  verify(token: string): Identity | Promise<Identity>
  /** Whose session the cookie names; undefined where it is over. Absent where nobody can sign in. */
  readonly sessionOf: ((id: string) => Identity | undefined | Promise<Identity | undefined>) | undefined
  /** Whether a page of this origin may act for the person whose cookie came along. */
  trustsOrigin(origin: string): boolean
  /** The rule for a request; undefined where none matches. */
  ruleFor(exchange: Exchange): AccessRule | undefined
  /** Refuses where the request could not be audited. */
  ensureAudit(): void
  observeAuth(
    method: Identity['method'] | 'none' | 'bearer',
    result: 'ok' | 'refused' | 'error',
    reason: AuthReason,
  ): void
  observeDecision(decision: 'allow' | 'deny', rule: string): void
}

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS'])

/** The hook in front of every protected route: who is it, may they, and the decision on record. Before any body is read. */
export function createGuard(deps: GuardDeps): onRequestHookHandler {
  const decide = (exchange: Exchange, rule: AccessRule | undefined, identity: Identity | undefined): void => {
    exchange.identity = identity
    exchange.rule = rule?.name ?? 'none'
    try {
      exchange.permit = Permit.decide(identity, rule)
    } catch (error) {
      deps.observeDecision('deny', exchange.rule)
      throw error
    }
    deps.observeDecision('allow', exchange.rule)
    exchange.reason = rule?.access === 'public' ? 'public' : 'rule'
  }

  const notFound = (error: unknown, rule: AccessRule | undefined): undefined => {
    const failure = error instanceof Refusal ? error.failure : undefined
    if (failure !== undefined) observeFailure(deps, failure)
    // On a public path a bearer that is not ours may be the app's own, and nobody has to be known.
    if (rule?.access === 'public' && failure !== undefined) return undefined
    throw error
  }

  /** The bearer decides, where there is one; otherwise the session. */
  const look = (
    exchange: Exchange,
    token: string | undefined,
  ): Identity | undefined | Promise<Identity | undefined> => {
    if (token !== undefined) return deps.verify(token)
    const id = exchange.headers?.session
    if (id === undefined || deps.sessionOf === undefined) {
      deps.observeAuth('none', 'refused', 'no-credentials')
      return undefined
    }
    exchange.sessionId = id
    return deps.sessionOf(id)
  }

  const settle = (exchange: Exchange, raw: IncomingMessage, identity: Identity | undefined): Identity | undefined => {
    if (exchange.sessionId === undefined) {
      if (identity === undefined) return undefined
      exchange.bearerIsOurs = true
    } else if (identity === undefined) {
      deps.observeAuth('session', 'refused', 'session-over')
      return undefined
    } else if (!mayUseCookie(exchange, raw, deps.trustsOrigin)) {
      throw new Refusal({ kind: 'other-origin' })
    }
    deps.observeAuth(identity.method, 'ok', 'ok')
    return identity
  }

  return (request, _reply, done) => {
    const exchange = exchangeOf(request)
    const rule = deps.ruleFor(exchange)
    deps.ensureAudit()
    const token = bearerOf(exchange)
    const misplaced = misplacedToken(exchange, token)
    if (misplaced !== undefined) {
      observeFailure(deps, misplaced)
      throw new Refusal(misplaced)
    }
    let pending: Identity | undefined | Promise<Identity | undefined>
    try {
      pending = look(exchange, token)
      if (!(pending instanceof Promise)) pending = settle(exchange, request.raw, pending)
    } catch (error) {
      pending = notFound(error, rule)
    }
    if (pending instanceof Promise) {
      pending
        .then(identity => settle(exchange, request.raw, identity))
        .catch((error: unknown) => notFound(error, rule))
        .then(identity => decide(exchange, rule, identity))
        .then(
          () => done(),
          (error: Error) => done(error),
        )
      return
    }
    decide(exchange, rule, pending)
    done()
  }
}

/**
 * A cookie comes along with what any page makes the browser send. So what changes something, or opens a channel for it,
 * has to come from a page of ours; browsers say so in headers that no page can set.
 */
function mayUseCookie(
  { method }: Exchange,
  { headers }: IncomingMessage,
  trusts: (origin: string) => boolean,
): boolean {
  return (SAFE_METHODS.has(method) && headers.upgrade === undefined) || comesFromOurPage(headers, trusts)
}

/** @param trusts whether a page of this origin may act for the person whose cookie came along. */
export function comesFromOurPage(headers: IncomingHttpHeaders, trusts: (origin: string) => boolean): boolean {
  const { origin } = headers
  // A page with `Referrer-Policy: no-referrer` sends its own forms with `Origin: null` (Fetch Standard, "append a request
  // `Origin` header"). Who really has no origin, a sandboxed frame or a redirect through another site, is `cross-site` there.
  return origin === undefined || origin === 'null' ? headers['sec-fetch-site'] === 'same-origin' : trusts(origin)
}

function bearerOf({ headers }: Exchange): string | undefined {
  const written = headers?.authorization
  if (written === undefined || written.slice(0, 7).toLowerCase() !== 'bearer ') return undefined
  // RFC 9110 §11.4: spaces, and nothing else that `trim` would forgive.
  const token = written.slice(7).replace(/^ +/, '')
  return token === '' ? undefined : token
}

/** RFC 6750 §2: one way of sending the token, and never the query, which ends up in logs and histories: the app's too. */
function misplacedToken({ target }: Exchange, token: string | undefined): Failure | undefined {
  const query = target?.query ?? ''
  if (query.length < 2 || !hasAccessToken(query)) return undefined
  return token === undefined
    ? {
        kind: 'token-rejected',
        reason: 'malformed',
        detail: 'a token is not accepted in the query; send it in the Authorization header',
      }
    : { kind: 'bad-request', detail: 'a token is sent in more than one way' }
}

function hasAccessToken(query: string): boolean {
  // A percent sign could hide the name; only then is the query taken apart.
  if (!query.includes('access_token') && !query.includes('%')) return false
  return new URLSearchParams(query).has('access_token')
}

function observeFailure(deps: GuardDeps, failure: Failure): void {
  if (failure.kind === 'token-rejected') deps.observeAuth('bearer', 'refused', failure.reason)
  else if (failure.kind === 'issuer-unavailable') deps.observeAuth('bearer', 'error', 'issuer-unavailable')
  else if (failure.kind === 'store-unavailable') deps.observeAuth('session', 'error', 'store-unavailable')
  else if (failure.kind === 'other-origin') deps.observeAuth('session', 'refused', 'other-origin')
  else deps.observeAuth('bearer', 'refused', 'ambiguous')
}

/** RFC 6750 §2.2: a token in the form beside one in the header is two ways at once; alone it is a way that is not offered. */
export function refuseTokenInForm(request: FastifyRequest): void {
  const form = request.body
  if (!(form instanceof URLSearchParams) || !form.has('access_token')) return
  throw new Refusal({ kind: 'bad-request', detail: 'a token is sent in more than one way' })
}
