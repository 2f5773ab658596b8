/** Why a presented credential is not accepted. */
export type TokenRejection =
  | 'malformed'
  | 'too-long'
  | 'unknown-issuer'
  | 'algorithm'
  | 'critical-header'
  | 'token-type'
  | 'unknown-key'
  | 'signature'
  | 'audience'
  | 'expired'
  | 'not-yet-valid'
  | 'missing-claim'
  | 'bad-claim'
  | 'bound-to-key'
  | 'inactive'
  | 'replayed'

/** Why a sign-in came to nothing. */
export type SignInTrouble =
  | 'unknown-state'
  | 'access-denied'
  | 'refused-by-issuer'
  | 'code-refused'
  | 'client-refused'
  | 'answer-rejected'

/** What became of a request's credentials: the `reason` label of `auth_total`. */
export type AuthReason =
  | TokenRejection
  | 'ok'
  | 'no-credentials'
  | 'session-over'
  | 'other-origin'
  | 'issuer-unavailable'
  | 'store-unavailable'
  | 'ambiguous'

/** What went wrong, as data. `http/problem.ts` renders each into one public answer. */
export type Failure =
  | { readonly kind: 'bad-request'; readonly detail: string }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'method-not-allowed'; readonly allow: string }
  | { readonly kind: 'no-credentials' }
  | { readonly kind: 'token-rejected'; readonly reason: TokenRejection; readonly detail: string }
  | { readonly kind: 'sign-in-failed'; readonly reason: SignInTrouble; readonly detail: string }
  | { readonly kind: 'issuer-unavailable'; readonly issuer: string; readonly retryAfterSeconds: number }
  | { readonly kind: 'forbidden'; readonly rule: string }
  | { readonly kind: 'other-origin' }
  | { readonly kind: 'check-refused'; readonly detail: string }
  | { readonly kind: 'no-grant' }
  | { readonly kind: 'content-not-granted'; readonly grant: string }
  | { readonly kind: 'claim-missing'; readonly grant: string; readonly claim: string; readonly usedBy: string }
  | { readonly kind: 'looker-user-disabled'; readonly lookerUserId: string }
  | {
      readonly kind: 'looker-unavailable'
      readonly reason: 'timeout' | 'unreachable' | 'rate-limited' | 'server-error' | 'bad-answer' | 'breaker-open'
      readonly retryAfterSeconds: number
    }
  | { readonly kind: 'looker-refused'; readonly operation: string; readonly status: number; readonly message: string }
  | { readonly kind: 'app-unavailable'; readonly reason: 'timeout' | 'unreachable' | 'reset' | 'bad-answer' }
  | { readonly kind: 'store-unavailable' }
  | { readonly kind: 'overloaded'; readonly retryAfterSeconds: number }
  | { readonly kind: 'too-large'; readonly limitBytes: number }
  | { readonly kind: 'too-slow' }
  | { readonly kind: 'audit-unavailable' }

/** A failure on its way to the edge. The message is for the log; the caller sees only what the problem document says. */
export class Refusal extends Error {
  readonly failure: Failure

  constructor(failure: Failure, options?: ErrorOptions) {
    super(failure.kind, options)
    this.name = 'Refusal'
    this.failure = failure
  }
}
