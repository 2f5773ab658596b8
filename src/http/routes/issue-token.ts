import type { Identity } from '../../core/identity.ts'
import type { LookerScope } from '../../core/looker-scope.ts'
import type { Secret } from '../../core/secret.ts'
import type { Exchange } from '../exchange.ts'

/** A Looker token on its way to its owner. */
export interface IssuedToken {
  readonly token: Secret
  readonly expiresIn: number
  readonly lookerUserId: string
  readonly grant: string
}

export interface IssueTokenDeps {
  scopeOf(identity: Identity): LookerScope
  tokenFor(scope: LookerScope, context: { requestId: string }): PersonTokenLike | Promise<PersonTokenLike>
  /**
   * The last step, for callers with a session: has what Looker needs from the person's issuer put there.
   * @param isNew whether it was made during this request.
   * @throws {Refusal} `no-credentials` where they signed out meanwhile; what was made for them is dropped.
   */
  beforeHandOut(exchange: Exchange, identity: Identity, isNew: boolean): Promise<void>
  /** What is left of the token's useful life, never past `notAfter`. */
  expiresIn(token: PersonTokenLike, notAfter: number): number
  observeRemaining(seconds: number): void
}

interface PersonTokenLike {
  readonly token: Secret
  readonly obtainedAt: number
  readonly expiresAt: number
  readonly lookerUserId: string
}

/** From identity to grant to token: the one way in which every endpoint gets a person's Looker token. */
export function createTokenIssuer(
  deps: IssueTokenDeps,
): (exchange: Exchange, identity: Identity) => Promise<IssuedToken> {
  return async (exchange, identity) => {
    const scope = deps.scopeOf(identity)
    exchange.grant = scope.grant
    const started = performance.now()
    const token = await deps.tokenFor(scope, { requestId: exchange.requestId })
    exchange.upstreamMilliseconds += performance.now() - started
    exchange.lookerUserId = token.lookerUserId
    if (exchange.sessionId !== undefined) {
      await deps.beforeHandOut(exchange, identity, token.obtainedAt >= exchange.time)
    }
    const expiresIn = deps.expiresIn(token, identity.expiresAt)
    deps.observeRemaining(expiresIn)
    return { token: token.token, expiresIn, lookerUserId: token.lookerUserId, grant: scope.grant }
  }
}
