import { Refusal } from '../core/failure.ts'
import { Secret } from '../core/secret.ts'

/** No Looker token lives longer than the longest embed session, 30 days; an answer that says so is not believed. */
const LONGEST_SECONDS = 2_592_000

/** A Looker API token. Times are milliseconds since the epoch, counted from before Looker was asked. */
export interface AccessToken {
  readonly token: Secret
  readonly obtainedAt: number
  readonly expiresAt: number
}

/**
 * Reads Looker's answer to `login` or `login_user`.
 * @throws {Refusal} `looker-unavailable`, reason `bad-answer`, where it makes no sense; a guess could outlive the token.
 */
export function readAccessToken(
  answer: { access_token?: string | null; expires_in?: number | null } | null | undefined,
  askedAt: number,
): AccessToken {
  const { access_token: text, expires_in: seconds } = answer ?? {}
  if (
    typeof text !== 'string' ||
    text === '' ||
    typeof seconds !== 'number' ||
    !(seconds >= 1 && seconds <= LONGEST_SECONDS)
  ) {
    throw new Refusal(
      { kind: 'looker-unavailable', reason: 'bad-answer', retryAfterSeconds: 5 },
      { cause: new Error(`Looker gave a token that cannot be used (expires_in ${JSON.stringify(seconds)})`) },
    )
  }
  return { token: new Secret(text), obtainedAt: askedAt, expiresAt: askedAt + Math.floor(seconds) * 1000 }
}
