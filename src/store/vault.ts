import type { Sealer } from './seal.ts'
import type { Store } from './store.ts'

/** One kind of record and whose it is, such as `token` of an external user id. */
export interface Place {
  readonly kind: string
  readonly owner: string
}

export interface VaultLease {
  /** Says whether it was written: not where the place was emptied, or leased anew, in the meantime. */
  write(value: unknown, ttlMilliseconds: number): Promise<boolean>
  release(): Promise<void>
}

/** The store as the rest of Sallyport sees it: places in the clear on this side, hashed and sealed on the other. */
export interface Vault {
  /** `parse` gives undefined for what is not (or no longer) a record of this kind. */
  read<T>(place: Place, parse: (value: unknown) => T | undefined): Promise<T | undefined>
  /** For records that only the holder of some lease writes; nothing is compared. */
  write(place: Place, value: unknown, ttlMilliseconds: number): Promise<void>
  remove(place: Place): Promise<void>
  lease(place: Place, ttlMilliseconds: number): Promise<VaultLease | undefined>
  awaitRelease(place: Place, milliseconds: number): Promise<void>
  /** Tells every replica to forget what it remembers of the place. */
  announce(place: Place): void
  onAnnounced(listener: (name: string) => void): void
  /** The name under which announcements speak of the place. */
  nameOf(place: Place): string
}

export function createVault({ store, sealer }: { store: Store; sealer: Sealer }): Vault {
  // While keys are rotated a record may be under the name of an older key.
  const namesOf = ({ kind, owner }: Place): readonly string[] => sealer.names(`${kind}\n${owner}`)
  const nameOf = (place: Place): string => namesOf(place)[0] ?? ''
  const contextOf = (name: string, { kind, owner }: Place): string => `${name}\n${kind}\n${owner}`
  const seal = (name: string, place: Place, value: unknown): Buffer =>
    sealer.seal(JSON.stringify(value), contextOf(name, place))

  return {
    nameOf,
    async read(place, parse) {
      for (const name of namesOf(place)) {
        const record = await store.get(name)
        const text = record === undefined ? undefined : sealer.open(record, contextOf(name, place))
        const value = text === undefined ? undefined : parse(JSON.parse(text))
        if (value !== undefined) return value
      }
      return undefined
    },
    async write(place, value, ttlMilliseconds) {
      const name = nameOf(place)
      await store.put(name, seal(name, place, value), ttlMilliseconds, Number.MAX_SAFE_INTEGER)
    },
    async remove(place) {
      await Promise.all(namesOf(place).map(name => store.remove(name)))
    },
    async lease(place, ttlMilliseconds) {
      const name = nameOf(place)
      const lease = await store.lease(name, ttlMilliseconds)
      return (
        lease && {
          write: (value, ttl) => store.put(name, seal(name, place, value), ttl, lease.generation),
          release: () => lease.release(),
        }
      )
    },
    awaitRelease: (place, milliseconds) => store.awaitRelease(nameOf(place), milliseconds),
    announce: place => store.announce(nameOf(place)),
    onAnnounced: listener => store.onAnnounced(listener),
  }
}
