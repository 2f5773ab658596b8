import type { IEmbedCookielessSessionGenerateTokensResponse } from '@looker/sdk'
import type { Clock } from '../core/clock.ts'
import { type Failure, Refusal } from '../core/failure.ts'
import type { Secret } from '../core/secret.ts'
import type { CallContext, LookerClient } from './client.ts'
import { type EmbedTokens, readTokens } from './embed-acquire.ts'
import { LookerAnswer } from './transport.ts'
import { withoutWords } from './without-words.ts'

/** The first pause before another try; each is twice the one before, up to the longest. */
const FIRST_PAUSE_MILLISECONDS = 250
const LONGEST_PAUSE_MILLISECONDS = 2000
/** How many tries that hang fit into the deadline. */
const TRIES = 3

/** The tokens of an iframe, as its page has them. */
export interface PageTokens {
  readonly apiToken: Secret
  readonly navigationToken: Secret
}

/** New tokens for old ones; `over` where Looker knows the session, or these tokens of it, no more. */
export async function generateTokens(
  looker: LookerClient,
  clock: Clock,
  { reference, tokens }: { reference: Secret; tokens: PageTokens },
  context: CallContext,
): Promise<EmbedTokens | 'over'> {
  const askedAt = clock.now()
  const operation = 'generate_tokens_for_cookieless_session'
  const body = {
    session_reference_token: reference.reveal(),
    api_token: tokens.apiToken.reveal(),
    navigation_token: tokens.navigationToken.reveal(),
  }
  let answer: IEmbedCookielessSessionGenerateTokensResponse
  try {
    answer = await looker.call(
      operation,
      (sdk, options) => sdk.generate_tokens_for_cookieless_session(body, options),
      context,
    )
  } catch (error) {
    if (error instanceof LookerAnswer) {
      const { status, message } = error
      if (status === 404 || (status === 400 && /invalid input tokens/i.test(message))) return 'over'
    }
    throw withoutWords(operation, error)
  }
  // An expired session is a success without tokens.
  return answer.session_reference_token_ttl === 0 ? 'over' : readTokens(answer, askedAt)
}

/**
 * Tries again, within the deadline, what failed for a reason that may pass.
 * @throws what the last try threw.
 */
export async function patiently<T>(seconds: number, task: (timeoutSeconds: number) => Promise<T>): Promise<T> {
  const deadline = performance.now() + seconds * 1000
  for (let pause = FIRST_PAUSE_MILLISECONDS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MILLISECONDS)) {
    try {
      return await task(seconds / TRIES)
    } catch (error) {
      const wait = Math.max(pause, mayPass(error) ?? Number.POSITIVE_INFINITY)
      if (performance.now() + wait >= deadline) throw error
      await new Promise(resolve => setTimeout(resolve, wait))
    }
  }
}

/** For how many milliseconds at least there is no use in trying; undefined where there never is. */
function mayPass(error: unknown): number | undefined {
  const failure: Failure | undefined = error instanceof Refusal ? error.failure : undefined
  if (failure?.kind === 'store-unavailable') return 0
  if (failure?.kind === 'overloaded') return failure.retryAfterSeconds * 1000
  if (failure?.kind !== 'looker-unavailable') return undefined
  // Only these know when it is over; the others advise a caller who would otherwise come back at once.
  const known = failure.reason === 'rate-limited' || failure.reason === 'breaker-open'
  return known ? failure.retryAfterSeconds * 1000 : 0
}
