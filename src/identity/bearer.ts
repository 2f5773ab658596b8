import { hash } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import { Refusal } from '../core/failure.ts'
import type { Identity } from '../core/identity.ts'
import { identityFrom, reject } from './claims.ts'
import { looksLikeJws, MAX_TOKEN_BYTES, parseCompactJws, type UnverifiedJws } from './compact-jws.ts'
import { introspect } from './introspection.ts'
import type { Issuer } from './issuer.ts'
import { refuseOtherTypes, verifySignature } from './verify-signature.ts'

/** A verdict is reached anew after this long, so that a token revoked at the issuer does not live on here. */
const REMEMBER_MILLISECONDS = 60_000
/** A refusal of an opaque token is believed for this long: a flood of one bad token is one call to the issuer. */
const REMEMBER_REFUSAL_MILLISECONDS = 5_000
const MAX_REMEMBERED = 20_000
const MAX_REFUSALS = 2000

const TYPES = new Set([undefined, 'jwt', 'at+jwt', 'application/at+jwt'])

export interface BearerVerifier {
  /**
   * Who the token speaks for; at once where it was verified a moment ago.
   * @param asIdToken accept an ID token, because the caller named it as one (RFC 8693 §3).
   * @throws {Refusal} (or rejects with it) `token-rejected` or `issuer-unavailable`.
   */
  verify(token: string, asIdToken?: boolean): Identity | Promise<Identity>
}

interface Verdict {
  readonly outcome: Identity | Refusal
  readonly until: number
  readonly keysVersion: number
}

/** Verifies bearer tokens of any of the issuers: JWTs (RFC 7519, 8725, 9068) by key, others by introspection (RFC 7662). */
export function createBearerVerifier(deps: { issuers: readonly Issuer[]; clock: Clock }): BearerVerifier {
  const { issuers, clock } = deps
  const byUrl = new Map(issuers.map(issuer => [issuer.options.issuer, issuer]))
  const introspects = issuers.some(issuer => issuer.options.introspection !== undefined)
  const verdicts = new Map<string, Verdict>()
  /** Of their own: a flood of made-up tokens pushes out no good one. */
  const refusals = new Map<string, Verdict>()
  const underWay = new Map<string, Promise<Identity>>()

  /** Of all issuers together: it counts up when the keys of any of them change. */
  const keysVersion = (): number => issuers.reduce((sum, { keys }) => sum + keys.version(), 0)

  const remember = (key: string, verdict: Verdict): void => {
    const [known, max] = verdict.outcome instanceof Refusal ? [refusals, MAX_REFUSALS] : [verdicts, MAX_REMEMBERED]
    if (known.size >= max) {
      const oldest = known.keys().next()
      if (oldest.done !== true) known.delete(oldest.value)
    }
    known.set(key, verdict)
  }

  const judge = async (token: string, key: string, asIdToken: boolean): Promise<Identity> => {
    const isJws = looksLikeJws(token)
    // From before the key is looked for: keys that change while the token is judged void the verdict.
    const version = keysVersion()
    if (!isJws && !introspects) throw reject('malformed', 'the token is not a JWT, and no issuer offers introspection')
    try {
      const identity = await (isJws ? verifyJwt(token, asIdToken) : introspect(token, issuers))
      const until = Math.min(clock.now() + REMEMBER_MILLISECONDS, identity.expiresAt)
      remember(key, { outcome: identity, until, keysVersion: version })
      return identity
    } catch (error) {
      if (!isJws && error instanceof Refusal && error.failure.kind === 'token-rejected') {
        remember(key, { outcome: error, until: clock.now() + REMEMBER_REFUSAL_MILLISECONDS, keysVersion: version })
      }
      throw error
    }
  }

  const verifyJwt = async (token: string, asIdToken: boolean): Promise<Identity> => {
    const jws = parseCompactJws(token)
    if (jws === undefined) throw reject('malformed', 'the token is not a well-formed compact JWT')
    const { payload } = jws
    const issuer = typeof payload['iss'] === 'string' ? byUrl.get(payload['iss']) : undefined
    if (issuer === undefined) throw reject('unknown-issuer', 'iss is not a configured issuer')
    refuseOtherTypes(jws, TYPES)
    refuseOtherTokens(jws, asIdToken || issuer.options.allowIdTokens)
    await verifySignature(token, jws, issuer)
    return identityFrom(payload, issuer.options, 'jwt', clock)
  }

  return {
    verify(token, asIdToken = false) {
      if (token.length > MAX_TOKEN_BYTES) throw reject('too-long', `the token is longer than ${MAX_TOKEN_BYTES} bytes`)
      // By the hash of all of it: a prefix or the signature alone can be shared by two tokens. An ID token let in as one is no access token.
      const digest = hash('sha256', token, 'latin1')
      const key = asIdToken ? `id ${digest}` : digest
      const known = verdicts.get(key) ?? refusals.get(key)
      if (known !== undefined) {
        if (known.until > clock.now() && known.keysVersion === keysVersion()) {
          if (known.outcome instanceof Refusal) throw known.outcome
          return known.outcome
        }
        verdicts.delete(key)
        refusals.delete(key)
      }
      const pending = underWay.get(key)
      if (pending !== undefined) return pending
      const verdict = judge(token, key, asIdToken).finally(() => underWay.delete(key))
      underWay.set(key, verdict)
      return verdict
    },
  }
}

/** RFC 9068 §2.1 and §5, RFC 8725 §3.11–3.12: a token made for one purpose is not good for another. */
function refuseOtherTokens({ header, payload }: UnverifiedJws, idTokens: boolean): void {
  if (payload['events'] !== undefined) throw reject('token-type', 'this is an event token')
  if (String(header['typ']).toLowerCase().endsWith('at+jwt') || idTokens) return
  const marksOfAnIdToken = ['nonce', 'at_hash', 'c_hash', 's_hash'].some(name => Object.hasOwn(payload, name))
  if (marksOfAnIdToken || payload['token_use'] === 'id' || payload['typ'] === 'ID') {
    throw reject('token-type', 'this is an ID token')
  }
}
