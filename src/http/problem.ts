import type { Failure, SignInTrouble } from '../core/failure.ts'

/** RFC 9457, in the terms of the contract: `type` is `urn:sallyport:problem:KIND`. */
export interface Problem {
  readonly kind: string
  readonly status: number
  readonly title: string
  /** What the caller can do about it. Nothing internal: no address, no stack, no token. */
  readonly detail: string
  readonly headers: Readonly<Record<string, string>>
}

export const PROBLEM_TYPE = 'application/problem+json'

const CHALLENGE = 'www-authenticate'
const NONE: Readonly<Record<string, string>> = {}

/** Whom the caller's own issuer refuses is forbidden; where the issuer refuses us, the mistake is on this side. */
const SIGN_IN_STATUS: Partial<Record<SignInTrouble, number>> = { 'access-denied': 403, 'client-refused': 500 }

export const INTERNAL: Problem = {
  kind: 'internal',
  status: 500,
  title: 'Internal error',
  detail: 'Something went wrong here; the log has more under this request id.',
  headers: NONE,
}

/** The one place where a failure becomes an answer. */
export function problemOf(failure: Failure): Problem {
  switch (failure.kind) {
    case 'bad-request':
      return problem('bad-request', 400, 'Bad request', failure.detail)
    case 'not-found':
      return problem('not-found', 404, 'Not found', 'There is nothing under this path.')
    case 'method-not-allowed':
      return problem('method-not-allowed', 405, 'Method not allowed', `This path answers ${failure.allow}.`, {
        allow: failure.allow,
      })
    case 'no-credentials':
      // RFC 6750 §3.1: no credentials, so no error code.
      return problem(
        'unauthenticated',
        401,
        'Sign-in needed',
        'Sign in, or send a bearer token of a configured issuer.',
        {
          [CHALLENGE]: 'Bearer',
        },
      )
    case 'token-rejected':
      return problem('invalid-token', 401, 'Token not accepted', `The token was not accepted: ${failure.detail}.`, {
        [CHALLENGE]: `Bearer error="invalid_token", error_description="${failure.detail.replaceAll(/["\\]/g, "'")}"`,
      })
    case 'sign-in-failed':
      return problem('sign-in-failed', SIGN_IN_STATUS[failure.reason] ?? 400, 'Sign-in did not work', failure.detail)
    case 'issuer-unavailable':
      return problem(
        'issuer-unavailable',
        503,
        'Issuer not reachable',
        'Who is calling cannot be told now, because the issuer cannot be reached; try again.',
        retryAfter(failure.retryAfterSeconds),
      )
    case 'forbidden':
      return problem('forbidden', 403, 'Not allowed', 'No rule lets this person do this.')
    case 'other-origin':
      return problem(
        'forbidden',
        403,
        'Not allowed',
        'What a browser session is to change has to come from a page of this origin: Origin or Sec-Fetch-Site did not say so.',
      )
    case 'check-refused':
      return problem('forbidden', 403, 'Not allowed', `Nothing could be judged: ${failure.detail}.`)
    case 'no-grant':
      return problem(
        'no-grant',
        403,
        'No grant',
        'No grant gives this person access to Looker; ask your administrator.',
      )
    case 'content-not-granted':
      return problem('forbidden', 403, 'Not allowed', `The grant "${failure.grant}" does not cover the model of this.`)
    case 'claim-missing':
      return problem(
        'no-grant',
        403,
        'No grant',
        `The grant "${failure.grant}" needs "${failure.claim}" for ${failure.usedBy}, and the token does not say it.`,
      )
    case 'looker-user-disabled':
      return problem(
        'forbidden',
        403,
        'Not allowed',
        'This person’s Looker user is disabled; ask your Looker administrator.',
      )
    case 'looker-unavailable': {
      const status =
        failure.reason === 'timeout'
          ? 504
          : failure.reason === 'rate-limited' || failure.reason === 'breaker-open'
            ? 503
            : 502
      return problem(
        'looker-unavailable',
        status,
        'Looker not reachable',
        'Looker does not answer as it should; try again.',
        retryAfter(failure.retryAfterSeconds),
      )
    }
    case 'looker-refused':
      return problem(
        'looker-unavailable',
        502,
        'Looker refused',
        'Looker refused what was asked of it; the log has more under this request id.',
      )
    case 'app-unavailable':
      return problem(
        'app-unavailable',
        failure.reason === 'timeout' ? 504 : 502,
        'App not reachable',
        'The app behind this address does not answer; try again.',
      )
    case 'store-unavailable':
      return problem(
        'store-unavailable',
        503,
        'Store not reachable',
        'What is needed for this cannot be read now; try again.',
        retryAfter(1),
      )
    case 'overloaded':
      return problem(
        'overloaded',
        503,
        'Busy',
        'Too much is going on at once; try again.',
        retryAfter(failure.retryAfterSeconds),
      )
    case 'too-large':
      return problem('too-large', 413, 'Too large', `The body is larger than ${failure.limitBytes} bytes.`)
    case 'too-slow':
      // RFC 9110 §15.5.9: the connection is in the middle of a request and can only be closed.
      return problem('bad-request', 408, 'Too slow', 'The body did not arrive in time.', { connection: 'close' })
    case 'audit-unavailable':
      return { ...INTERNAL, detail: 'The audit log cannot be written, and nothing passes without it.' }
  }
}

/** The kind as a URN, as it stands in documents and in the errors of token exchange. */
export function urnOf(kind: string): string {
  return `urn:sallyport:problem:${kind}`
}

export function renderProblem({ kind, status, title, detail }: Problem, requestId: string): string {
  return JSON.stringify({ type: urnOf(kind), title, status, detail, instance: requestId })
}

function problem(kind: string, status: number, title: string, detail: string, headers = NONE): Problem {
  return { kind, status, title, detail, headers }
}

function retryAfter(seconds: number): Record<string, string> {
  return { 'retry-after': String(Math.max(1, Math.ceil(seconds))) }
}
