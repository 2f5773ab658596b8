import { hash } from 'node:crypto'
import { Secret } from '../core/secret.ts'

/** A person's embed session as the store has it. */
export interface EmbedSession {
  readonly reference: Secret
  readonly lookerUserId: string
  /** Milliseconds since the epoch, counted from before Looker was asked: not later than at Looker. */
  readonly expiresAt: number
  /** Of the scope that was applied when the session began. */
  readonly fingerprint: string
  /** Of the browser that began it: Looker lets no other load an iframe of the session. */
  readonly browser: string
}

/** A browser as the record knows it; its User-Agent may be long, and says more than is needed here. */
export function browserOf(userAgent: string | undefined): string {
  return hash('sha256', userAgent ?? '', 'base64url')
}

export function serialiseSession({ reference, ...rest }: EmbedSession): unknown {
  return { ...rest, reference: reference.reveal() }
}

export function parseSession(value: unknown): EmbedSession | undefined {
  const { reference, lookerUserId, expiresAt, fingerprint, browser } = value as Record<string, unknown>
  if (typeof reference !== 'string' || typeof lookerUserId !== 'string') return undefined
  if (typeof expiresAt !== 'number' || typeof fingerprint !== 'string' || typeof browser !== 'string') return undefined
  return { reference: new Secret(reference), lookerUserId, expiresAt, fingerprint, browser }
}
