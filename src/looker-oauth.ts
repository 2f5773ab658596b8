import type { Config } from './config/schema.ts'
import type { Clock } from './core/clock.ts'
import { Refusal } from './core/failure.ts'
import type { Identity } from './core/identity.ts'
import type { LookerScope } from './core/looker-scope.ts'
import type { TokensForLooker } from './identity/session.ts'
import type { ForLooker } from './identity/tokens-for-looker.ts'
import type { CallContext, LookerClient } from './looker/client.ts'
import type { Limiter } from './looker/limiter.ts'
import { createOAuthStates } from './looker/oauth-states.ts'
import type { Vault } from './store/vault.ts'
import type { Log } from './telemetry/log.ts'

/** Puts the tokens of people whose issuer is marked `lookerOAuth` into Looker. */
export interface LookerOAuth {
  /**
   * Before something of Looker's is handed out to a person. Resolves when Looker has their tokens, or cannot have them;
   * undefined where there is nothing to wait for. Never rejects.
   */
  bring(
    identity: Identity,
    lookerUserId: string,
    tokens: () => Promise<TokensForLooker | undefined>,
    context: CallContext,
  ): Promise<void> | undefined
  /** After a refresh. */
  renew(identity: Identity, tokens: TokensForLooker): void
}

export interface LookerOAuthDeps {
  readonly config: Config
  readonly log: Log
  readonly looker: LookerClient
  readonly vault: Vault
  readonly limiter: Limiter
  readonly clock: Clock
  scopeOf(identity: Identity): LookerScope
}

export function openLookerOAuth({ config, log, ...deps }: LookerOAuthDeps): LookerOAuth {
  const states = createOAuthStates({
    ...deps,
    waitSeconds: config.looker.timeoutSeconds,
    report: (level, message, facts) => log[level](facts, message),
  })
  const applications = new Map(config.issuers.map(({ name, lookerOAuth }) => [name, lookerOAuth?.application]))

  return {
    bring(identity, lookerUserId, tokens, context) {
      const application = applications.get(identity.issuer)
      if (application === undefined) return undefined
      const { externalUserId } = deps.scopeOf(identity)
      return states.ensure(identity, { application, externalUserId, lookerUserId, tokens }, context)
    },
    renew(identity, tokens) {
      const application = applications.get(identity.issuer)
      const externalUserId = externalUserIdOf(identity)
      if (application === undefined || externalUserId === undefined) return
      const person = { application, externalUserId, lookerUserId: undefined, tokens: async () => tokens }
      void states.ensure(identity, person, {})
    },
  }

  /** Undefined for a person who has no grant any more, and so no use for Looker. */
  function externalUserIdOf(identity: Identity): string | undefined {
    try {
      return deps.scopeOf(identity).externalUserId
    } catch (error) {
      if (error instanceof Refusal) return undefined
      throw error
    }
  }
}

/** Tells whoever runs Sallyport why an issuer's people bring no tokens, or none that last. */
export function forLooker(issuer: string, log: Log): ForLooker {
  return {
    report(trouble) {
      if (trouble.kind === 'no-refresh-token') {
        const remedy = 'let the client have refresh tokens (offline access) at the issuer'
        log.warn(
          { issuer, remedy },
          'the issuer gave no refresh token: when the access token lapses, Looker asks for a sign-in of its own',
        )
        return
      }
      const remedy =
        'let the client have these scopes at the issuer; who did not agree to them signs in again, and agrees'
      log.warn(
        { issuer, scopes: trouble.scopes, remedy },
        'somebody signed in without scopes that were asked for, so Looker gets none of their tokens',
      )
    },
  }
}
