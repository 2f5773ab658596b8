import type { JWK } from 'jose'
import {
  constants,
  createHmac,
  createPrivateKey,
  createSecretKey,
  generateKeyPair,
  KeyObject,
  sign as signBytes,
} from 'node:crypto'
import { promisify } from 'node:util'

export type SigningKey = JWK & { readonly kid: string; readonly alg: 'RS256' }

/** What a token can be signed with: a private or symmetric JWK, a key object, or the bytes of an HMAC key. */
export type AnyKey = JWK | KeyObject | Uint8Array

export async function createSigningKey(kid: string): Promise<SigningKey> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
  return { ...(privateKey.export({ format: 'jwk' }) as JWK), kid, alg: 'RS256', use: 'sig' }
}

/**
 * A compact JWS (RFC 7515) of whatever header and payload are given. Libraries refuse to sign what a verifier ought to
 * refuse to read (`alg` none, an unknown `crit`, a public key as an HMAC secret); attack tests need exactly those.
 * The kind of key decides how it is signed and `alg` only the digest, so that the header may lie.
 */
export function signCompact(header: Record<string, unknown>, payload: unknown, key: AnyKey): string {
  const signingInput = `${encode(header)}.${encode(payload)}`
  const alg = typeof header['alg'] === 'string' ? header['alg'] : ''
  return `${signingInput}.${signatureOf(signingInput, alg, keyObjectOf(key))}`
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function keyObjectOf(key: AnyKey): KeyObject {
  if (key instanceof KeyObject) return key
  if (key instanceof Uint8Array) return createSecretKey(key)
  if (key.kty === 'oct') return createSecretKey(key.k ?? '', 'base64url')
  return createPrivateKey({ key: { ...key }, format: 'jwk' })
}

function signatureOf(signingInput: string, alg: string, key: KeyObject): string {
  if (alg.toLowerCase() === 'none') return ''
  const digest = `sha${/(?:256|384|512)$/.exec(alg)?.[0] ?? '256'}`
  if (key.type === 'secret') return createHmac(digest, key).update(signingInput).digest('base64url')
  const bytes = Buffer.from(signingInput)
  switch (key.asymmetricKeyType) {
    case 'rsa': {
      if (!alg.startsWith('PS')) return signBytes(digest, bytes, key).toString('base64url')
      const pss = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
      return signBytes(digest, bytes, pss).toString('base64url')
    }
    case 'ec':
      return signBytes(digest, bytes, { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')
    default:
      return signBytes(null, bytes, key).toString('base64url')
  }
}
