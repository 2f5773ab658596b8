import { randomBytes } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import { Refusal } from '../core/failure.ts'
import type { LookerScope } from '../core/looker-scope.ts'
import { Secret, type SecretSource } from '../core/secret.ts'
import type { CallContext, LookerClient } from './client.ts'
import { embedUserOf } from './embed-user.ts'
import type { Limiter } from './limiter.ts'
import { createProvisioning } from './provisioning.ts'
import { type EmbedAlgorithm, signEmbedUrl } from './signed-url.ts'
import { forgetToken } from './token-broker.ts'
import { explainRefusal } from './users.ts'
import type { LookerVault } from './vault.ts'

export interface EmbedUrl {
  /** As good as a password, for one use within five minutes. */
  readonly url: Secret
  readonly lookerUserId: string
}

export interface EmbedUrlsDeps {
  readonly looker: LookerClient
  readonly vault: LookerVault
  readonly limiter: Limiter
  readonly clock: Clock
  readonly waitSeconds: number
  readonly embedDomain: string
  readonly sessionLengthSeconds: number
  /** Where Looker's pages are. */
  readonly webUrl: string
  /** An embed secret of Looker, to sign here; absent: Looker is asked for each URL. */
  readonly secret: SecretSource | undefined
  readonly algorithm: EmbedAlgorithm
}

/** Signed embed URLs, each for one person and one use. */
export interface EmbedUrls {
  /** @param target path and query of content that the scope allows, such as /embed/dashboards/42?Region=EMEA. */
  sign(scope: LookerScope, target: string, context: CallContext): Promise<EmbedUrl>
}

export function createEmbedUrls(deps: EmbedUrlsDeps): EmbedUrls {
  const { looker, limiter, clock, webUrl, secret } = deps
  // A token that was made for another scope has the rights of this one now.
  const provisioning = createProvisioning(deps, scope => forgetToken(deps, scope))
  const sessionLengthSeconds = deps.sessionLengthSeconds

  const askLooker = async (scope: LookerScope, target: string, context: CallContext): Promise<string> => {
    const body = {
      ...embedUserOf(scope),
      target_url: `${new URL(webUrl).origin}${target}`,
      session_length: sessionLengthSeconds,
      embed_domain: deps.embedDomain,
    }
    const operation = 'create_sso_embed_url'
    const { url } = await limiter.run(() =>
      explainRefusal(operation, () =>
        looker.call(operation, (sdk, options) => sdk.create_sso_embed_url(body, options), context),
      ),
    )
    if (typeof url === 'string' && URL.canParse(url)) return url
    throw new Refusal(
      { kind: 'looker-unavailable', reason: 'bad-answer', retryAfterSeconds: 5 },
      { cause: new Error('Looker’s signed embed URL is none') },
    )
  }

  return {
    async sign(scope, target, context) {
      // Ahead of the browser, which applies the scope by opening the URL: a token asked for beside it would otherwise be the
      // one to apply it, and end the session that has just begun.
      const lookerUserId =
        (await provisioning.appliedTo(scope)) ?? (await limiter.run(() => provisioning.provision(scope, context)))
      await provisioning.noteSignedUrl(scope)
      const url =
        secret === undefined
          ? await askLooker(scope, target, context)
          : signEmbedUrl({
              webUrl,
              target,
              scope,
              sessionLengthSeconds,
              time: Math.floor(clock.now() / 1000),
              nonce: randomBytes(16).toString('hex'),
              secret: secret.current(),
              algorithm: deps.algorithm,
            })
      return { url: new Secret(url), lookerUserId }
    },
  }
}
