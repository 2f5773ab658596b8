import { compactVerify } from 'jose'
import { Refusal } from '../core/failure.ts'
import { reject } from './claims.ts'
import type { UnverifiedJws } from './compact-jws.ts'
import { issuerUnavailable } from './introspection.ts'
import type { Issuer } from './issuer.ts'

/**
 * Holds a JWS to an issuer's algorithms and keys (RFC 7515 §5.2).
 * @param jws what `parseCompactJws` read from the token.
 * @throws {Refusal} `token-rejected`, or `issuer-unavailable` where the keys cannot be had.
 */
export async function verifySignature(token: string, { header }: UnverifiedJws, issuer: Issuer): Promise<void> {
  const algorithm = header['alg']
  if (typeof algorithm !== 'string' || !issuer.options.algorithms.includes(algorithm)) {
    throw reject('algorithm', 'the signature algorithm is not accepted')
  }
  // RFC 7515 §4.1.11, RFC 7797 §6: an extension that is not understood voids the token. RFC 8725 §3.10: a token does not bring its own key.
  if (['crit', 'b64', 'jku', 'x5u', 'jwk'].some(name => Object.hasOwn(header, name))) {
    throw reject('critical-header', 'the header has a member that is not accepted')
  }
  const kid = header['kid']
  if (kid !== undefined && typeof kid !== 'string') throw reject('malformed', 'kid is not text')
  const key = await issuer.keys.find(kid, algorithm)
  // A key that is not known while the keys cannot be fetched may be a new one: that is not for the token's holder to mend.
  const unsure = key === undefined && !issuer.keys.reachable()
  if (unsure || !issuer.keys.fresh()) throw issuerUnavailable(issuer.options.name)
  if (key === undefined) throw reject('unknown-key', 'no key of the issuer fits this token')
  await compactVerify(token, key, { algorithms: [algorithm] }).catch((cause: unknown) => {
    throw new Refusal({ kind: 'token-rejected', reason: 'signature', detail: 'the signature does not hold' }, { cause })
  })
}

/**
 * RFC 8725 §3.11: a token made for one purpose is not good for another.
 * @param types the values of `typ` that are accepted, in lower case; undefined: none at all.
 */
export function refuseOtherTypes({ header }: UnverifiedJws, types: ReadonlySet<string | undefined>): void {
  const type = header['typ']
  if (type !== undefined && typeof type !== 'string') throw reject('malformed', 'typ is not text')
  if (!types.has(type?.toLowerCase())) throw reject('token-type', 'typ says that this is another kind of token')
}
