import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Refusal } from '../../core/failure.ts'
import type { Identity } from '../../core/identity.ts'
import { readTarget } from '../canonical-path.ts'
import { exchangeOf, permitOf } from '../exchange.ts'

export interface CheckOptions {
  /** Whether the peer may speak for others: an ingress that is named in `server.trustedProxies`. */
  isTrusted(address: string | undefined): boolean
  /** What tells an app who is calling: name, value, name, value. */
  headersFor(identity: Identity | undefined): Promise<readonly string[]>
}

/** Puts the request that is asked about in the place of the one that asks, before the guard judges it. */
export function judgeForwarded(options: CheckOptions): (request: FastifyRequest) => Promise<void> {
  return async request => {
    const { 'x-forwarded-method': method, 'x-forwarded-uri': uri } = request.headers
    if (!options.isTrusted(request.raw.socket.remoteAddress)) {
      throw new Refusal({ kind: 'bad-request', detail: 'only an ingress that server.trustedProxies names may ask here' })
    }
    if (typeof method !== 'string' || typeof uri !== 'string') {
      throw new Refusal({ kind: 'bad-request', detail: 'X-Forwarded-Method and X-Forwarded-Uri have to say, once each, what is asked about' })
    }
    const exchange = exchangeOf(request)
    exchange.target = readTarget(uri)
    exchange.method = method.toUpperCase()
  }
}

/** Any `/check`: the decision without the request, for nginx `auth_request`, Traefik ForwardAuth and Envoy ext_authz. */
export async function checkRoute(scope: FastifyInstance, options: CheckOptions): Promise<void> {
  scope.all('/check', async (request, reply) => {
    const headers = await options.headersFor(permitOf(request).identity)
    for (let index = 0; index < headers.length; index += 2) reply.header(headers[index] ?? '', headers[index + 1] ?? '')
    return reply.code(200).header('cache-control', 'no-store').send()
  })
}
