import type { FastifyInstance } from 'fastify'
import { Refusal } from '../../core/failure.ts'
import type { Identity } from '../../core/identity.ts'
import { exchangeOf, identityOf, sendJson } from '../exchange.ts'

export interface SessionOptions {
  /** The name of the grant that is the person's. @throws {Refusal} `no-grant` or `claim-missing`. */
  grantOf(identity: Identity): string
}

/** `GET /session`: who the caller is and what they were granted. Never a token. */
export async function sessionRoute(scope: FastifyInstance, options: SessionOptions): Promise<void> {
  scope.get('/session', async (request, reply) => {
    const identity = identityOf(request)
    const grant = grantOrNull(options, identity)
    exchangeOf(request).grant = grant ?? undefined
    return sendJson(reply, 200, {
      subject: identity.subject,
      email: identity.email ?? null,
      name: identity.name ?? null,
      groups: identity.groups,
      issuer: identity.issuer,
      grant,
      expires_at: new Date(identity.expiresAt).toISOString(),
    })
  })
}

/** Without a grant a person is signed in all the same. */
function grantOrNull(options: SessionOptions, identity: Identity): string | null {
  try {
    return options.grantOf(identity)
  } catch (error) {
    if (error instanceof Refusal) return null
    throw error
  }
}
