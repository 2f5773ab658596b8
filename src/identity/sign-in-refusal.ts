import * as oidc from 'openid-client'
import { Refusal, type SignInTrouble } from '../core/failure.ts'
import { issuerUnavailable } from './introspection.ts'
import type { Issuer } from './issuer.ts'

/** What the library says when the issuer was not reached, or answered with nothing that could be read. */
const UNREACHABLE = new Set([
  undefined,
  'OAUTH_TIMEOUT',
  'OAUTH_ABORT',
  'OAUTH_RESPONSE_IS_NOT_JSON',
  'OAUTH_PARSE_ERROR',
])
const CLIENT_ERRORS = new Set(['invalid_client', 'unauthorized_client', 'unsupported_grant_type'])
const DETAILS: Record<Exclude<SignInTrouble, 'access-denied' | 'refused-by-issuer'>, string> = {
  'unknown-state':
    'This sign-in is over: it took longer than ten minutes, was finished already, or was begun in another browser. Start again.',
  'code-refused': 'The identity provider no longer accepts this sign-in. Start again.',
  'client-refused':
    'The identity provider does not accept the client that is configured here. Tell your administrator.',
  'answer-rejected':
    'What the identity provider said could not be verified. Start again; if that does not help, tell your administrator.',
}

export function signInFailed(reason: keyof typeof DETAILS, cause?: unknown): Refusal {
  return new Refusal({ kind: 'sign-in-failed', reason, detail: DETAILS[reason] }, { cause })
}

/** Whether an issuer will never again give anything for this refresh token (RFC 6749 §5.2). */
export function isInvalidGrant(error: unknown): boolean {
  return error instanceof oidc.ResponseBodyError && error.error === 'invalid_grant'
}

/** Makes a failure of what the library was asked to do, and tells the issuer's observer where it could not be reached. */
export function refusalOf(error: unknown, issuer: Issuer): Refusal {
  if (error instanceof Refusal) {
    return error.failure.kind === 'token-rejected' ? signInFailed('answer-rejected', error) : error
  }
  const cause = withoutData(error)
  if (error instanceof oidc.AuthorizationResponseError) return refusedByIssuer(error)
  if (error instanceof oidc.WWWAuthenticateChallengeError) return signInFailed('client-refused', cause)
  if (error instanceof oidc.ResponseBodyError) {
    return signInFailed(CLIENT_ERRORS.has(error.error) ? 'client-refused' : 'code-refused', cause)
  }
  const { code, cause: answer } = error as { code?: string; cause?: unknown }
  const unreachable =
    UNREACHABLE.has(code) ||
    // Of `fetch`, which gives the reason as a cause.
    (error instanceof TypeError && answer instanceof Error) ||
    (answer instanceof Response && (answer.status >= 500 || answer.status === 429))
  if (!unreachable) return signInFailed('answer-rejected', cause)
  issuer.options.report(cause)
  return issuerUnavailable(issuer.options.name, cause)
}

/** RFC 6749 §4.1.2.1. The browser brought it and no page may trust it, but the state has shown whose sign-in it belongs to. */
function refusedByIssuer({ error, error_description: description }: oidc.AuthorizationResponseError): Refusal {
  const said = description === undefined || description === '' ? error : `${description} (${error})`
  return new Refusal({
    kind: 'sign-in-failed',
    reason: error === 'access_denied' ? 'access-denied' : 'refused-by-issuer',
    detail: `The identity provider says: ${plain(said, 300)}`,
  })
}

/** What an error of the library says, less what it carries: whole answers with tokens in them, or the query with the code. */
function withoutData(error: unknown): Error {
  const chain: string[] = []
  for (let link = error; link instanceof Error && chain.length < 4; link = link.cause) {
    const { code } = link as NodeJS.ErrnoException
    // A parser quotes what it stumbled over.
    const message = link instanceof SyntaxError ? '' : ` ${link.message}`
    chain.push(`${link.name}${typeof code === 'string' ? ` ${code}` : ''}${message}`)
  }
  if (error instanceof oidc.ResponseBodyError) {
    chain.push(plain(`${error.error} ${error.error_description ?? ''}`, 200).replaceAll(/[\w.~+/=-]{24,}/g, '…'))
  }
  return new Error(chain.join(': '))
}

function plain(text: string, length: number): string {
  return text.replaceAll(/[^\P{C} ]/gu, ' ').slice(0, length)
}
