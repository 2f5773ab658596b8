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
  /** Holds it for so long from now on. False where it has lapsed. */
  extend(ttlMilliseconds: number): Promise<boolean>
  release(): Promise<void>
}

/** The store as the rest of Sallyport sees it: places in the clear on this side, hashed and sealed on the other. */
export interface Vault {
  /** `parse` gives undefined for what is not (or no longer) a record of this kind. */
  read<T>(place: Place, parse: (value: unknown) => T | undefined): Promise<T | undefined>
  /** For records that only the holder of some lease writes; nothing is compared. */
  write(place: Place, value: unknown, ttlMilliseconds: number): Promise<void>
  /** Writes in the place of a record that is still there, and nothing otherwise. Says whether it wrote. */
  replace(place: Place, value: unknown, ttlMilliseconds: number): Promise<boolean>
  /** Lets a record live for so long from now on. Says whether there is one. */
  touch(place: Place, ttlMilliseconds: number): Promise<boolean>
  /** Reads and removes in one step: of all who ask, one gets the record. For places that nobody leases. */
  take<T>(place: Place, parse: (value: unknown) => T | undefined): Promise<T | undefined>
  /** Voids every lease under way. Gives what was removed: while keys are rotated there may be a record under each name. */
  remove<T>(place: Place, parse: (value: unknown) => T | undefined): Promise<readonly T[]>
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
  const open = <T>(
    name: string,
    place: Place,
    record: Buffer | undefined,
    parse: (value: unknown) => T | undefined,
  ): T | undefined => {
    const text = record === undefined ? undefined : sealer.open(record, contextOf(name, place))
    return text === undefined ? undefined : parse(JSON.parse(text))
  }

  return {
    nameOf,
    async read(place, parse) {
      for (const name of namesOf(place)) {
        const value = open(name, place, await store.get(name), parse)
        if (value !== undefined) return value
      }
      return undefined
    },
    async write(place, value, ttlMilliseconds) {
      const name = nameOf(place)
      await store.put(name, seal(name, place, value), ttlMilliseconds, Number.MAX_SAFE_INTEGER)
    },
    async replace(place, value, ttlMilliseconds) {
      // Under the name it has: beside an older record under an older name, replicas would not agree on which counts.
      for (const name of namesOf(place)) {
        if (await store.replace(name, seal(name, place, value), ttlMilliseconds)) return true
      }
      return false
    },
    async touch(place, ttlMilliseconds) {
      return (await Promise.all(namesOf(place).map(name => store.touch(name, ttlMilliseconds)))).includes(true)
    },
    async take(place, parse) {
      const names = namesOf(place)
      const records = await Promise.all(names.map(name => store.take(name)))
      for (const [index, name] of names.entries()) {
        const value = open(name, place, records[index], parse)
        if (value !== undefined) return value
      }
      return undefined
    },
    async remove(place, parse) {
      const names = namesOf(place)
      const records = await Promise.all(names.map(name => store.remove(name)))
      return names.map((name, index) => open(name, place, records[index], parse)).filter(value => value !== undefined)
    },
    async lease(place, ttlMilliseconds) {
      const name = nameOf(place)
      const lease = await store.lease(name, ttlMilliseconds)
      return (
        lease && {
          write: (value, ttl) => store.put(name, seal(name, place, value), ttl, lease.generation),
          extend: ttl => lease.extend(ttl),
          release: () => lease.release(),
        }
      )
    },
    awaitRelease: (place, milliseconds) => store.awaitRelease(nameOf(place), milliseconds),
    announce: place => store.announce(nameOf(place)),
    onAnnounced: listener => store.onAnnounced(listener),
  }
}
