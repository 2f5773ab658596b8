import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Refusal } from '../../core/failure.ts'
import type { Identity } from '../../core/identity.ts'
import { readTarget } from '../canonical-path.ts'
import { type Exchange, exchangeOf, permitOf } from '../exchange.ts'
import { ASSERTION, IDENTITY_HEADERS, identityHeaders } from '../identity-headers.ts'

const METHOD = /^[A-Za-z]{1,20}$/
const BELOW = '/*'

/**
 * Puts the request that is asked about in the place of the one that asks, before the guard judges it.
 * @param isTrusted whether a peer is an ingress that `server.trustedProxies` names.
 */
export function judgeForwarded(isTrusted: (peer: string | undefined) => boolean) {
  return (request: FastifyRequest, _reply: unknown, done: () => void): void => {
    if (!isTrusted(request.raw.socket.remoteAddress)) {
      throw refuse('the peer is not one of server.trustedProxies')
    }
    const exchange = exchangeOf(request)
    // Fastify refuses a type that it cannot read, and the body is not what is asked about.
    request.raw.headers['content-type'] = undefined
    // Which of the two it is, the ingress's own configuration says: what a client puts into headers cannot change it.
    const { url = '' } = request.routeOptions
    if (url.endsWith(BELOW)) judgeItself(exchange, url.length - BELOW.length)
    else judgeNamed(request, exchange)
    done()
  }
}

/** `/check`: nginx and Traefik name the request in headers, which they set themselves. */
function judgeNamed({ headers }: FastifyRequest, exchange: Exchange): void {
  const { 'x-forwarded-method': method, 'x-forwarded-uri': uri } = headers
  if (typeof method !== 'string' || typeof uri !== 'string' || !METHOD.test(method)) {
    throw refuse('X-Forwarded-Method and X-Forwarded-Uri do not say, each in a word, what is asked about')
  }
  exchange.target = readTarget(uri)
  exchange.method = method.toUpperCase()
}

/** `/check/…`: Envoy asks with the request's own method, and puts our path before its path. */
function judgeItself(exchange: Exchange, ours: number): void {
  const { path = '', query = '' } = exchange.target ?? {}
  exchange.target = readTarget(`${path.slice(ours)}${query}`)
}

export interface CheckOptions {
  assert(identity: Identity): string | undefined | Promise<string | undefined>
}

/** Any `/check`: the decision without the request, for nginx `auth_request`, Traefik ForwardAuth and Envoy ext_authz. */
export async function checkRoute(scope: FastifyInstance, options: CheckOptions): Promise<void> {
  // An ingress knows 2xx, 401 and 403, and takes all else for a fault of ours: what is 400 elsewhere is 403 here.
  scope.setErrorHandler(error => {
    throw error instanceof Refusal && error.failure.kind === 'bad-request' ? refuse(error.failure.detail) : error
  })
  // Nor is a body that comes along too large, too slow or of a wrong kind: nothing reads it.
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', (_request, _payload, done) => done(null))
  const sayWho = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const { identity } = permitOf(request)
    reply.code(200).header('cache-control', 'no-store')
    if (identity === undefined) return
    const headers = identityHeaders(identity)
    for (let index = 0; index < headers.length; index += 2) reply.header(headers[index] ?? '', headers[index + 1] ?? '')
    const assertion = await options.assert(identity)
    if (assertion !== undefined) reply.header(ASSERTION, assertion)
  }
  // An ingress that asks with the client's own method asks about a preflight too, which CORS would answer for all.
  const config = { cors: false }
  scope.all('/check', { config }, async (request, reply) => {
    await sayWho(request, reply)
    return reply.send()
  })
  scope.all(`/check${BELOW}`, { config }, async (request, reply) => {
    await sayWho(request, reply)
    // Envoy puts what is said in the place of the client's copies, and would let those stand of which nothing is said.
    const unsaid = IDENTITY_HEADERS.filter(name => !reply.hasHeader(name))
    if (exchangeOf(request).bearerIsOurs) unsaid.push('authorization')
    if (unsaid.length > 0) reply.header('x-envoy-auth-headers-to-remove', unsaid.join(','))
    return reply.send()
  })
}

function refuse(detail: string): Refusal {
  return new Refusal({ kind: 'check-refused', detail })
}
