/** The right, for a while, to be the only one who makes the value of a key. */
export interface Lease {
  /** Grows with every lease and every removal of the key; a write under an older one is refused. */
  readonly generation: number
  /** Holds it for so long from now on. False where it has lapsed: somebody else may have it. */
  extend(ttlMilliseconds: number): Promise<boolean>
  /** Gives the lease back, if it is still ours, and wakes those who wait for it. */
  release(): Promise<void>
}

/**
 * What all replicas remember. Keys and values are opaque here: `vault.ts` hashes the one and seals the other.
 * Every method has a deadline and rejects with `Refusal` `store-unavailable` where the store cannot be reached.
 */
export interface Store {
  get(key: string): Promise<Buffer | undefined>
  /** Writes for at most `ttlMilliseconds`, unless the key has seen a younger generation. Says whether it wrote. */
  put(key: string, value: Buffer, ttlMilliseconds: number, generation: number): Promise<boolean>
  /** Writes in the place of a value that is still there, and nothing otherwise. Says whether it wrote. */
  replace(key: string, value: Buffer, ttlMilliseconds: number): Promise<boolean>
  /** Lets a value live for so long from now on. Says whether there is one. */
  touch(key: string, ttlMilliseconds: number): Promise<boolean>
  /** Reads and removes in one step: of all who ask, one gets the value. Voids no lease, unlike `remove`. */
  take(key: string): Promise<Buffer | undefined>
  /** Removes the value and voids every lease under way, in one step. Gives what was removed. */
  remove(key: string): Promise<Buffer | undefined>
  /** Undefined where somebody else holds it. */
  lease(key: string, ttlMilliseconds: number): Promise<Lease | undefined>
  /** Resolves when a lease on the key was released, or after the time given, whichever is first. */
  awaitRelease(key: string, milliseconds: number): Promise<void>
  /** Tells every replica, this one too, that what it remembers of the key is no longer true. Best effort. */
  announce(key: string): void
  onAnnounced(listener: (key: string) => void): void
  close(): Promise<void>
}
