import { ClientError, tokenIntrospection } from 'openid-client'
import { Refusal } from '../core/failure.ts'
import type { Identity } from '../core/identity.ts'
import { identityFrom, reject } from './claims.ts'
import type { Issuer } from './issuer.ts'

/** Characters of a token68 credential (RFC 9110 §11.2). */
const TOKEN68 = /^[A-Za-z0-9\-._~+/]+=*$/

/**
 * Asks the issuers that offer introspection (RFC 7662), in the order of the configuration, whose opaque token this is.
 * @throws {Refusal} `token-rejected` where none knows it, `issuer-unavailable` where one that might could not be asked.
 */
export async function introspect(token: string, issuers: readonly Issuer[]): Promise<Identity> {
  if (!TOKEN68.test(token)) throw reject('malformed', 'the token has characters that no token has')
  let unavailable: Refusal | undefined
  for (const issuer of issuers) {
    const { options } = issuer
    if (options.introspection === undefined) continue
    const configuration = issuer.configuration()
    if (configuration === undefined) {
      unavailable ??= issuerUnavailable(options.name)
      continue
    }
    let answer: Awaited<ReturnType<typeof tokenIntrospection>>
    try {
      answer = await tokenIntrospection(configuration, token, { token_type_hint: 'access_token' })
    } catch (error) {
      if (hasOddActive(error)) continue
      options.report(error)
      unavailable ??= issuerUnavailable(options.name, error)
      continue
    }
    if (answer.active !== true) continue
    // §2.2 makes iss optional; what comes from the issuer's own endpoint is the issuer's.
    return identityFrom({ ...answer, iss: answer.iss ?? options.issuer }, options, 'introspection', options.clock)
  }
  throw unavailable ?? reject('inactive', 'no issuer knows this token')
}

/** Whether the library stumbled over an answer whose `active` is no boolean: an answer, and not a yes. */
function hasOddActive(error: unknown): boolean {
  if (!(error instanceof ClientError) || !(error.cause instanceof Error)) return false
  const { body } = (error.cause.cause ?? {}) as { body?: unknown }
  return typeof body === 'object' && body !== null && Object.hasOwn(body, 'active')
}

export function issuerUnavailable(issuer: string, cause?: unknown): Refusal {
  return new Refusal({ kind: 'issuer-unavailable', issuer, retryAfterSeconds: 5 }, { cause })
}
