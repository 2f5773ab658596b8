import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Refusal } from '../../core/failure.ts'
import type { LogoutTokens } from '../../identity/logout-token.ts'
import type { Sessions } from '../../identity/session.ts'
import { exchangeOf, sendJson } from '../exchange.ts'
import { dropTokens, type SignOutOptions } from './logout.ts'

export interface BackchannelLogoutOptions extends SignOutOptions {
  readonly logoutTokens: LogoutTokens
  readonly sessions: Pick<Sessions, 'endOf'>
}

/** `POST /backchannel-logout`: the issuer ends the sessions of somebody (OpenID Connect Back-Channel Logout 1.0). */
export async function backchannelLogoutRoute(scope: FastifyInstance, options: BackchannelLogoutOptions): Promise<void> {
  scope.setErrorHandler((error, request, reply) => {
    const description = descriptionOf(error)
    // What is wrong on this side is answered as everywhere.
    if (description === undefined) throw error
    const exchange = exchangeOf(request)
    exchange.decision = 'denied'
    exchange.reason =
      error instanceof Refusal && error.failure.kind === 'token-rejected' ? error.failure.reason : 'bad-request'
    return sendJson(reply, 400, { error: 'invalid_request', error_description: description })
  })

  scope.post('/backchannel-logout', async (request, reply) => {
    const exchange = exchangeOf(request)
    options.ensureAudit()
    const identity = await options.logoutTokens.use(tokenOf(request), ({ issuer, subject, sid }) =>
      options.sessions.endOf(issuer, { subject, sid }),
    )
    exchange.identity = identity
    exchange.reason = identity === undefined ? 'no-session' : 'signed-out'
    if (identity !== undefined) await dropTokens(exchange, identity, options)
    return reply.code(200).header('cache-control', 'no-store').send()
  })
}

function tokenOf({ body }: FastifyRequest): string {
  const [token, ...more] = body instanceof URLSearchParams ? body.getAll('logout_token') : []
  if (token === undefined || token === '' || more.length > 0) {
    throw new Refusal({ kind: 'bad-request', detail: 'send one logout_token, as application/x-www-form-urlencoded' })
  }
  return token
}

/** What the issuer is told, where the mistake is its own; undefined where it is not. */
function descriptionOf(error: unknown): string | undefined {
  if (error instanceof Refusal) {
    const { failure } = error
    return failure.kind === 'token-rejected' || failure.kind === 'bad-request' ? failure.detail : undefined
  }
  const { statusCode } = error as { statusCode?: unknown }
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500 ? 'the body cannot be read' : undefined
}
