import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Refusal } from '../../core/failure.ts'
import type { Identity } from '../../core/identity.ts'
import { readTarget, type Target } from '../canonical-path.ts'
import { exchangeOf, permitOf } from '../exchange.ts'
import { ASSERTION, identityHeaders } from '../identity-headers.ts'

const METHOD = /^[A-Za-z]{1,20}$/

/**
 * Puts the request that is asked about in the place of the one that asks, before the guard judges it.
 * @param isTrusted whether a peer is an ingress that `server.trustedProxies` names.
 */
export function judgeForwarded(isTrusted: (peer: string | undefined) => boolean) {
  return (request: FastifyRequest, _reply: unknown, done: () => void): void => {
    const { 'x-forwarded-method': method, 'x-forwarded-uri': uri } = request.headers
    if (!isTrusted(request.raw.socket.remoteAddress)) {
      throw refuse('the peer is not one of server.trustedProxies')
    }
    if (typeof method !== 'string' || typeof uri !== 'string' || !METHOD.test(method)) {
      throw refuse('X-Forwarded-Method and X-Forwarded-Uri do not say, each in a word, what is asked about')
    }
    const exchange = exchangeOf(request)
    exchange.target = readJudged(uri)
    exchange.method = method.toUpperCase()
    done()
  }
}

export interface CheckOptions {
  assert(identity: Identity): string | undefined | Promise<string | undefined>
}

/** Any `/check`: the decision without the request, for nginx `auth_request`, Traefik ForwardAuth and Envoy ext_authz. */
export async function checkRoute(scope: FastifyInstance, options: CheckOptions): Promise<void> {
  scope.all('/check', async (request, reply) => {
    const { identity } = permitOf(request)
    reply.header('cache-control', 'no-store')
    if (identity !== undefined) {
      const headers = identityHeaders(identity)
      for (let index = 0; index < headers.length; index += 2)
        reply.header(headers[index] ?? '', headers[index + 1] ?? '')
      const assertion = await options.assert(identity)
      if (assertion !== undefined) reply.header(ASSERTION, assertion)
    }
    return reply.code(200).send()
  })
}

/** An ingress knows 2xx, 401 and 403, and takes all else for a fault of ours: so a path that is refused is a 403 here. */
function readJudged(uri: string): Target {
  try {
    return readTarget(uri)
  } catch (error) {
    if (error instanceof Refusal && error.failure.kind === 'bad-request') throw refuse(error.failure.detail)
    throw error
  }
}

function refuse(detail: string): Refusal {
  return new Refusal({ kind: 'check-refused', detail })
}
