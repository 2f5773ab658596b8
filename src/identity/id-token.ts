import { hash } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import type { Claims } from '../core/identity.ts'
import { reject, verifyRegistered } from './claims.ts'
import { parseCompactJws } from './compact-jws.ts'
import type { Issuer } from './issuer.ts'
import { refuseOtherTypes, verifySignature } from './verify-signature.ts'

const TYPES = new Set([undefined, 'jwt'])

export interface IdTokenExpectations {
  readonly issuer: Issuer
  readonly clientId: string
  /** The access token that came with it. */
  readonly accessToken: string
  /** What `nonce` may be; undefined in it: absent. */
  readonly nonces: readonly (string | undefined)[]
  readonly clock: Clock
}

/**
 * Verifies an ID token (OpenID Connect Core §3.1.3.7), as strictly as a bearer is: its signature too, which the flow would
 * let us leave to TLS.
 * @returns its claims.
 * @throws {Refusal} `token-rejected`, or `issuer-unavailable` where its issuer's keys cannot be had.
 */
export async function verifyIdToken(token: string, expected: IdTokenExpectations): Promise<Claims> {
  const { issuer, clientId, accessToken, nonces, clock } = expected
  const jws = parseCompactJws(token)
  if (jws === undefined) throw reject('malformed', 'the ID token is not a well-formed compact JWT')
  refuseOtherTypes(jws, TYPES)
  await verifySignature(token, jws, issuer)
  const claims = jws.payload
  if (claims['events'] !== undefined) throw reject('token-type', 'this is an event token')
  verifyRegistered(claims, { issuer: issuer.options.issuer, audiences: [clientId] }, clock)
  for (const name of ['sub', 'iat']) {
    if (claims[name] === undefined) throw reject('missing-claim', `${name} is missing`)
  }
  const party = claims['azp']
  const sharesAudience = Array.isArray(claims['aud']) && claims['aud'].length > 1
  if ((party !== undefined || sharesAudience) && party !== clientId) {
    throw reject('audience', 'azp is not this client')
  }
  if (!nonces.some(nonce => nonce === claims['nonce'])) throw reject('bad-claim', 'nonce is not that of this sign-in')
  const said = claims['at_hash']
  if (said !== undefined && said !== accessTokenHash(accessToken, String(jws.header['alg']))) {
    throw reject('bad-claim', 'at_hash does not fit the access token')
  }
  return claims
}

/** The claims of an ID token that was verified before. */
export function claimsOf(idToken: string): Claims {
  const jws = parseCompactJws(idToken)
  if (jws === undefined) throw reject('malformed', 'the ID token is not a well-formed compact JWT')
  return jws.payload
}

/** OpenID Connect Core §3.1.3.6: the left half of the hash that the signature algorithm goes with. */
function accessTokenHash(accessToken: string, algorithm: string): string {
  // Ed25519 hashes with SHA-512 (RFC 8032 §5.1).
  const bits = algorithm === 'EdDSA' ? '512' : algorithm.slice(-3)
  const digest = hash(`sha${bits}`, accessToken, 'buffer')
  return digest.subarray(0, digest.length / 2).toString('base64url')
}
