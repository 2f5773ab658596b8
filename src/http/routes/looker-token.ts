import type { FastifyInstance } from 'fastify'
import type { Clock } from '../../core/clock.ts'
import type { Identity } from '../../core/identity.ts'
import { type Exchange, exchangeOf, identityOf, sendJson } from '../exchange.ts'
import { refuseTokenInForm } from '../guard.ts'
import type { IssuedToken } from './issue-token.ts'

export interface LookerTokenOptions {
  readonly lookerUrl: string
  readonly clock: Clock
  issue(exchange: Exchange, identity: Identity): Promise<IssuedToken>
  revoke(exchange: Exchange, identity: Identity): Promise<void>
  commitAudit(exchange: Exchange, status: number): Promise<void>
}

/** `POST` and `DELETE /looker/token`: the caller's own Looker token, for calls to Looker's API from the browser. */
export async function lookerTokenRoute(scope: FastifyInstance, options: LookerTokenOptions): Promise<void> {
  scope.post('/looker/token', async (request, reply) => {
    refuseTokenInForm(request)
    const exchange = exchangeOf(request)
    const { token, expiresIn, lookerUserId, grant } = await options.issue(exchange, identityOf(request))
    const expiresAt = options.clock.now() + expiresIn * 1000
    exchange.reason = 'grant'
    await options.commitAudit(exchange, 200)
    return sendJson(reply, 200, {
      access_token: token.reveal(),
      token_type: 'Bearer',
      expires_in: expiresIn,
      expires_at: new Date(expiresAt).toISOString(),
      base_url: options.lookerUrl,
      looker_user_id: lookerUserId,
      grant,
    })
  })

  scope.delete('/looker/token', async (request, reply) => {
    refuseTokenInForm(request)
    await options.revoke(exchangeOf(request), identityOf(request))
    return reply.code(204).header('cache-control', 'no-store').send()
  })
}
