import type { Clock } from '../core/clock.ts'
import { Refusal } from '../core/failure.ts'
import type { LookerLease, LookerVault, Place } from './vault.ts'

/** Extended for as long as the work takes; after it a replica that died no longer keeps the others waiting. */
const LEASE_MILLISECONDS = 15_000

export interface AloneDeps {
  readonly vault: LookerVault
  readonly clock: Clock
  /** How long to wait for whoever is at it. */
  readonly waitSeconds: number
}

/**
 * Does the work under a lease that lasts as long as it does. Undefined where somebody else has the lease.
 * @param unreleased hears of a lease that could not be given back. It lapses; what was done under it is good all the same.
 */
export async function underLease<T>(
  vault: LookerVault,
  place: Place,
  work: (lease: LookerLease) => Promise<T>,
  unreleased: (error: unknown) => void = () => {},
): Promise<{ readonly value: T } | undefined> {
  const lease = await vault.lease(place, LEASE_MILLISECONDS)
  if (lease === undefined) return undefined
  // Looker may be asked several times, and take its time each time. What one extension misses, the next makes good.
  const extending = setInterval(
    () => void lease.extend(LEASE_MILLISECONDS).catch(() => {}),
    LEASE_MILLISECONDS / 3,
  ).unref()
  try {
    return { value: await work(lease) }
  } finally {
    clearInterval(extending)
    await lease.release().catch(unreleased)
  }
}

/**
 * Does the work while nobody else, on any replica, does work for the same place.
 * @param run takes a place among those who may ask Looker; it is not held while waiting.
 * @throws {Refusal} `overloaded` where the others took too long.
 */
export async function alone<T>(
  { vault, clock, waitSeconds }: AloneDeps,
  place: Place,
  work: (lease: LookerLease) => Promise<T>,
  run: <R>(task: () => Promise<R>) => Promise<R> = task => task(),
): Promise<T> {
  const deadline = clock.now() + waitSeconds * 1000
  for (;;) {
    const done = await run(() => underLease(vault, place, work))
    if (done !== undefined) return done.value
    const left = deadline - clock.now()
    if (left <= 0) throw new Refusal({ kind: 'overloaded', retryAfterSeconds: 2 })
    await vault.awaitRelease(place, left)
  }
}
