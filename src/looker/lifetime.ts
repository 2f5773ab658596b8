/** A token is not handed out in its last seconds: the clocks differ, and a request takes time to arrive. */
const MARGIN_SECONDS = 10

export interface Lifetime {
  /** Milliseconds since the epoch. */
  readonly obtainedAt: number
  readonly expiresAt: number
}

/**
 * Whole seconds that the token is still good for, less the safety margin; 0 or less: it is not to be handed out.
 * The margin is never more than a tenth of the token's life, so that a short-lived token is of use at all.
 */
export function usefulSeconds({ obtainedAt, expiresAt }: Lifetime, now: number): number {
  const margin = Math.min(MARGIN_SECONDS * 1000, (expiresAt - obtainedAt) / 10)
  return Math.floor((expiresAt - margin - now) / 1000)
}

/**
 * The `expires_in` of an answer: what is left, never past `notAfter` (the end of the credential it was given for),
 * never below 1.
 */
export function expiresIn(lifetime: Lifetime, notAfter: number, now: number): number {
  return Math.max(1, Math.min(usefulSeconds(lifetime, now), Math.floor((notAfter - now) / 1000)))
}
