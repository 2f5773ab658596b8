import httpProxy from '@fastify/http-proxy'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Identity } from '../../core/identity.ts'
import type { ClientAddress } from '../client-address.ts'
import { type Exchange, exchangeOf, permitOf } from '../exchange.ts'
import { ASSERTION, identityLines } from '../identity-headers.ts'
import { responseHeaders } from '../request-headers.ts'
import { type StreamOptions, streamExchange } from '../stream.ts'
import { isUpgrade } from '../upgrades.ts'
import type { Upstream } from '../upstream/client.ts'
import { GOING_AWAY, joinWebSocket, NO_LONGER_ALLOWED, readWebSocketKey } from '../websocket.ts'

export interface AppRouteOptions {
  /** Origin, and a path that is put before every request's; or `unix:///path` of a socket. */
  readonly url: string
  readonly upstream: Upstream
  readonly publicUrl: string
  readonly maxBodyBytes: number | undefined
  readonly clientAddress: ClientAddress
  readonly idleMilliseconds: number
  /** The identity as a short signed JWT; undefined while there is no key to sign with. */
  assert(identity: Identity): string | undefined | Promise<string | undefined>
  /** Whether OPTIONS is the app's: where Sallyport answers CORS preflights it is not. */
  readonly options: boolean
  /** Logs what the caller is not told. */
  report(exchange: Exchange, error: unknown): void
  /** Calls `ended` when whoever opened a WebSocket may not have it any more. Returns what stops watching. */
  watch(exchange: Exchange, ended: () => void): () => void
  /** Calls the listener when what has no end of its own is to end, at once where that is so already. Returns what takes it back. */
  onEnding(listener: () => void): () => void
  stopping(): boolean
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

/**
 * Everything that is not Sallyport's own goes to the app. @fastify/http-proxy routes; the bytes are moved by `stream.ts` and
 * `websocket.ts`.
 */
export async function appRoute(scope: FastifyInstance, options: AppRouteOptions): Promise<void> {
  const base = new URL(options.url)
  const basePath = base.protocol === 'unix:' ? '' : base.pathname.replace(/\/$/, '')
  const seen = new URL(options.publicUrl)
  const seenLines = `x-forwarded-proto: ${seen.protocol.slice(0, -1)}\r\nx-forwarded-host: ${seen.host}\r\n`

  const send = (
    request: FastifyRequest,
    reply: FastifyReply,
    done: (error?: Error) => void,
    assertion?: string,
  ): void => {
    const exchange = exchangeOf(request)
    const { headers, target, identity, bearerIsOurs } = exchange
    if (headers === undefined || target === undefined) throw new Error('the request was not read')
    const { forward, authorizationAt } = headers
    // The app gets to know who the caller is, never what would let it be the caller.
    if (bearerIsOurs && authorizationAt !== -1) forward.splice(authorizationAt, 2)
    const { raw } = request
    const hops = options.clientAddress.chain(raw.socket.remoteAddress, raw.headers['x-forwarded-for'])
    const ownHeaders =
      (identity === undefined ? '' : identityLines(identity)) +
      (assertion === undefined ? '' : `${ASSERTION}: ${assertion}\r\n`) +
      `x-request-id: ${exchange.requestId}\r\nx-forwarded-for: ${hops}\r\n${seenLines}`
    const started = performance.now()
    streamExchange(
      {
        upstream: options.upstream,
        method: exchange.method,
        path: `${basePath}${target.path}${target.query}`,
        headers: forward,
        ownHeaders,
        request: raw,
        response: reply.raw,
        requestId: exchange.requestId,
        own: options.options ? undefined : corsHeaders(reply),
        maxBodyBytes: options.maxBodyBytes,
        idleMilliseconds: options.idleMilliseconds,
        stopping: options.stopping,
        onEnding: options.onEnding,
        takeOver: () => void reply.hijack(),
        onClosed: listener => (exchange.onClosed = listener),
        onCut(refusal) {
          exchange.decision = 'failed'
          exchange.reason = refusal.failure.kind
          options.report(exchange, refusal)
        },
        onWebSocket: isUpgrade(raw) ? webSocketOf(exchange, request, reply) : undefined,
      },
      refusal => {
        exchange.upstreamMilliseconds = performance.now() - started
        // Answered: the reply was taken over, and Fastify has nothing more to do.
        if (refusal !== undefined) done(refusal)
      },
    )
  }

  const webSocketOf = (
    exchange: Exchange,
    request: FastifyRequest,
    reply: FastifyReply,
  ): StreamOptions['onWebSocket'] => {
    const key = readWebSocketKey(request.raw)
    return (app, answered, done) => {
      const refusal = joinWebSocket({
        key,
        response: reply.raw,
        app,
        answered,
        headers: [...responseHeaders(answered), 'x-request-id', exchange.requestId],
        takeOver() {
          reply.hijack()
          done()
        },
        watch(end) {
          const unwatch = options.watch(exchange, () => end(NO_LONGER_ALLOWED))
          const stay = options.onEnding(() => end(GOING_AWAY))
          return () => {
            unwatch()
            stay()
          }
        },
      })
      if (refusal !== undefined) done(refusal)
    }
  }

  /** A hook with a callback: most of the time there is nothing to wait for but the app. */
  const handler = (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void => {
    const { identity } = permitOf(request)
    const assertion = identity === undefined ? undefined : options.assert(identity)
    if (typeof assertion === 'object') assertion.then(text => send(request, reply, done, text)).catch(done)
    else send(request, reply, done, assertion)
  }

  await scope.register(httpProxy, {
    upstream: 'http://app.invalid',
    httpMethods: options.options ? [...METHODS, 'OPTIONS'] : METHODS,
    proxyPayloads: false,
    // Before the plugin's own handler, which would take the target apart and write it again: ours sends what was judged.
    preHandler: handler,
  })
}

/** What @fastify/cors put on the reply; it takes the place of the app's own. */
function corsHeaders(reply: FastifyReply): Record<string, string> | undefined {
  const headers = reply.getHeaders()
  return Object.keys(headers).length === 0 ? undefined : (headers as Record<string, string>)
}
