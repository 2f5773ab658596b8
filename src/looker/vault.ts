/** A kind of record and whose it is. */
export interface Place {
  readonly kind: string
  readonly owner: string
}

export interface LookerLease {
  /** Says whether it was written: not where the place was emptied, or leased anew, in the meantime. */
  write(value: unknown, ttlMilliseconds: number): Promise<boolean>
  /** Holds it for so long from now on. False where it has lapsed. */
  extend(ttlMilliseconds: number): Promise<boolean>
  release(): Promise<void>
}

/** The part of the vault that is used here. */
export interface LookerVault {
  read<T>(place: Place, parse: (value: unknown) => T | undefined): Promise<T | undefined>
  write(place: Place, value: unknown, ttlMilliseconds: number): Promise<void>
  remove<T>(place: Place, parse: (value: unknown) => T | undefined): Promise<readonly T[]>
  lease(place: Place, ttlMilliseconds: number): Promise<LookerLease | undefined>
  awaitRelease(place: Place, milliseconds: number): Promise<void>
  announce(place: Place): void
  onAnnounced(listener: (name: string) => void): void
  nameOf(place: Place): string
}
