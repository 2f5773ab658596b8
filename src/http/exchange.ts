import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Identity } from '../core/identity.ts'
import type { Permit } from '../core/permit.ts'
import type { Target } from './canonical-path.ts'
import type { ReadHeaders } from './request-headers.ts'

export type Route =
  | 'app'
  | 'token'
  | 'looker_token'
  | 'session'
  | 'check'
  | 'jwks'
  | 'login'
  | 'callback'
  | 'logout'
  | 'backchannel_logout'
  | 'signed_out'
  | 'embed_session'
  | 'embed_tokens'
  | 'embed_url'
  | 'client'
  | 'gateway'
  | 'other'

/**
 * What is known of one request on its way, and what its audit event and its metrics will say.
 * The steps of the way fill it in; nothing here is read from the request twice.
 */
export interface Exchange {
  readonly requestId: string
  /** Milliseconds since the epoch. */
  readonly time: number
  /** Of `performance.now()`. */
  readonly startedAt: number
  readonly sourceIp: string
  method: string
  route: Route
  target: Target | undefined
  headers: ReadHeaders | undefined
  identity: Identity | undefined
  /** The bearer authenticated here, so it is not for the app. */
  bearerIsOurs: boolean
  /** The session that the cookie names, where it was the cookie that was looked at. */
  sessionId: string | undefined
  permit: Permit | undefined
  rule: string | undefined
  grant: string | undefined
  lookerUserId: string | undefined
  /** Why the decision fell as it did, from a closed set of words. */
  reason: string
  decision: 'allowed' | 'denied' | 'failed'
  upstreamMilliseconds: number
  /** Called once the response has closed. */
  onClosed: (() => void) | undefined
  /** The audit event was written before the answer. */
  audited: boolean
}

const key = Symbol('exchange')

/** The request decorator; the one place that knows how an exchange hangs on a request. */
export const exchangeDecorator = {
  key,
  set(request: FastifyRequest, exchange: Exchange): void {
    request.setDecorator(key, exchange)
  },
}

/** @throws outside the proxy listener's scope, and before its first hook. */
export function exchangeOf(request: FastifyRequest): Exchange {
  const exchange = request.getDecorator<Exchange | null>(key)
  if (exchange === null) throw new Error('the request has no exchange yet')
  return exchange
}

/** The proof that the guard let the request in. @throws where it did not: a route outside the guard fails closed. */
export function permitOf(request: FastifyRequest): Permit {
  const { permit } = exchangeOf(request)
  if (permit === undefined) throw new Error('this route is not behind the guard')
  return permit
}

/** The identity behind a guarded endpoint that is never public. */
export function identityOf(request: FastifyRequest): Identity {
  const { identity } = permitOf(request)
  if (identity === undefined) throw new Error('this endpoint needs an identity')
  return identity
}

/** Answers JSON that no cache keeps. */
export function sendJson(reply: FastifyReply, status: number, body: unknown): FastifyReply {
  return reply
    .code(status)
    .header('content-type', 'application/json; charset=utf-8')
    .header('cache-control', 'no-store')
    .send(JSON.stringify(body))
}
