import type { FastifyRequest, onRequestHookHandler } from 'fastify'
import { type Failure, Refusal, type TokenRejection } from '../core/failure.ts'
import type { Identity } from '../core/identity.ts'
import { type AccessRule, Permit } from '../core/permit.ts'
import { type Exchange, exchangeOf } from './exchange.ts'

export interface GuardDeps {
  verify(token: string): Identity | Promise<Identity>
  /** The rule for a request; undefined where none matches. */
  ruleFor(exchange: Exchange): AccessRule | undefined
  /** Refuses where the request could not be audited. */
  ensureAudit(): void
  observeAuth(
    method: Identity['method'] | 'none' | 'bearer',
    result: 'ok' | 'refused' | 'error',
    reason: TokenRejection | 'ok' | 'no-credentials' | 'issuer-unavailable' | 'ambiguous',
  ): void
  observeDecision(decision: 'allow' | 'deny', rule: string): void
}

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

  const found = (exchange: Exchange, identity: Identity): Identity => {
    exchange.bearerIsOurs = true
    deps.observeAuth(identity.method, 'ok', 'ok')
    return identity
  }

  const notFound = (error: unknown, rule: AccessRule | undefined): undefined => {
    const failure = error instanceof Refusal ? error.failure : undefined
    if (failure !== undefined) observeFailure(deps, failure)
    // On a public path a bearer that is not ours may be the app's own.
    if (rule?.access === 'public' && failure !== undefined) return undefined
    throw error
  }

  return (request, _reply, done) => {
    let pending: Identity | undefined | Promise<Identity>
    const exchange = exchangeOf(request)
    const rule = deps.ruleFor(exchange)
    deps.ensureAudit()
    const token = bearerOf(exchange)
    const misplaced = misplacedToken(exchange, token)
    if (misplaced !== undefined) {
      observeFailure(deps, misplaced)
      throw new Refusal(misplaced)
    }
    try {
      if (token === undefined) deps.observeAuth('none', 'refused', 'no-credentials')
      pending = token === undefined ? undefined : deps.verify(token)
    } catch (error) {
      pending = notFound(error, rule)
    }
    if (pending instanceof Promise) {
      pending
        .then(
          identity => found(exchange, identity),
          (error: unknown) => notFound(error, rule),
        )
        .then(identity => decide(exchange, rule, identity))
        .then(
          () => done(),
          (error: Error) => done(error),
        )
      return
    }
    decide(exchange, rule, pending === undefined ? undefined : found(exchange, pending))
    done()
  }
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
  else deps.observeAuth('bearer', 'refused', 'ambiguous')
}

/** RFC 6750 §2.2: a token in the form beside one in the header is two ways at once; alone it is a way that is not offered. */
export function refuseTokenInForm(request: FastifyRequest): void {
  const form = request.body
  if (!(form instanceof URLSearchParams) || !form.has('access_token')) return
  throw new Refusal({ kind: 'bad-request', detail: 'a token is sent in more than one way' })
}
