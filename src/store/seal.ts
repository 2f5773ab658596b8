import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'
import type { Secret, SecretSource } from '../core/secret.ts'

const NONCE_BYTES = 12
const TAG_BYTES = 16
const FORMAT = 1

/** A key as it is configured: 32 bytes in base64. */
export interface SealKey {
  readonly id: string
  readonly key: SecretSource
}

/**
 * Seals with AES-256-GCM (NIST SP 800-38D). A record says which key sealed it:
 * `format(1) | length of id(1) | id | nonce(12) | tag(16) | ciphertext`.
 */
export interface Sealer {
  /** `context` is authenticated: a record opens only where it was sealed for. */
  seal(text: string, context: string): Buffer
  /** Undefined where no key opens the record in this context. */
  open(record: Buffer, context: string): string | undefined
  /** The name of a thing in the store, for each key, the sealing one first. Nothing can be read from it. */
  names(plain: string): readonly string[]
}

interface Opened {
  readonly id: string
  readonly secret: Secret
  readonly cipherKey: Buffer
  readonly nameKey: Buffer
}

/** The first key seals; all open. @throws where a key is not 32 bytes of base64. */
export function createSealer(keys: readonly SealKey[]): Sealer {
  let opened = keys.map(open)
  if (opened.length === 0) throw new Error('a sealer needs a key')
  /** The keys as they are now: a file that was rotated counts from the next use on. */
  const current = (): readonly Opened[] => {
    if (keys.some(({ key }, index) => key.current() !== opened[index]?.secret)) opened = keys.map(open)
    return opened
  }
  return {
    seal(text, context) {
      const first = current()[0] as Opened
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', first.cipherKey, nonce).setAAD(Buffer.from(context))
      const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      const id = Buffer.from(first.id)
      return Buffer.concat([Buffer.of(FORMAT, id.length), id, nonce, cipher.getAuthTag(), sealed])
    },
    open(record, context) {
      const idEnd = 2 + (record[1] ?? 0)
      const start = idEnd + NONCE_BYTES + TAG_BYTES
      if (record[0] !== FORMAT || record.length < start) return undefined
      const id = record.toString('utf8', 2, idEnd)
      const key = current().find(candidate => candidate.id === id)
      if (key === undefined) return undefined
      const decipher = createDecipheriv('aes-256-gcm', key.cipherKey, record.subarray(idEnd, idEnd + NONCE_BYTES))
      decipher.setAAD(Buffer.from(context)).setAuthTag(record.subarray(idEnd + NONCE_BYTES, start))
      try {
        return decipher.update(record.subarray(start), undefined, 'utf8') + decipher.final('utf8')
      } catch {
        // Forged, cut, or moved from another key: as good as not there.
        return undefined
      }
    },
    names: plain => current().map(({ nameKey }) => createHmac('sha256', nameKey).update(plain).digest('base64url')),
  }
}

function open({ id, key }: SealKey): Opened {
  const secret = key.current()
  return { id, secret, cipherKey: deriveKey(secret, 'sallyport seal'), nameKey: deriveKey(secret, 'sallyport name') }
}

/** A key for one purpose (HKDF, RFC 5869), so that no key does two things. */
export function deriveKey(key: Secret, purpose: string): Buffer {
  const bytes = Buffer.from(key.reveal(), 'base64')
  if (bytes.length !== 32 || bytes.toString('base64').replace(/=+$/, '') !== key.reveal().trim().replace(/=+$/, '')) {
    throw new Error('a seal key has to be 32 bytes in base64; make one with `openssl rand -base64 32`')
  }
  return Buffer.from(hkdfSync('sha256', bytes, '', purpose, 32))
}

/** The key derived from what the source holds now; derived anew only when that has changed. */
export function derivedKey(source: SecretSource, purpose: string): () => Buffer {
  let secret = source.current()
  let key = deriveKey(secret, purpose)
  return () => {
    if (source.current() !== secret) {
      secret = source.current()
      key = deriveKey(secret, purpose)
    }
    return key
  }
}
