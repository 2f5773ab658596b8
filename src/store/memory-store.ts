import type { Clock } from '../core/clock.ts'
import type { Store } from './store.ts'
import { createWaitingRoom } from './waiting-room.ts'

const MAX_ENTRIES = 100_000

interface Entry {
  readonly value: Buffer
  readonly until: number
}

/** What is known of a key's leases; stays after the last one, so that a write from long ago still loses. */
interface Guard {
  /** The youngest there was, by a lease or a removal. */
  readonly generation: number
  /** The generation of the lease that is held; 0: none. */
  readonly holder: number
  readonly until: number
}

/** The store of a single process. Bounded: past the bound the entry written longest ago goes first. */
export function createMemoryStore(clock: Clock, maxEntries = MAX_ENTRIES): Store {
  const entries = new Map<string, Entry>()
  const guards = new Map<string, Guard>()
  const room = createWaitingRoom()
  const listeners: ((key: string) => void)[] = []
  // One counter for all keys serves: generations have to grow, not to be without gaps.
  let counter = 0

  const valueOf = (key: string): Buffer | undefined => {
    const entry = entries.get(key)
    if (entry === undefined) return undefined
    if (entry.until > clock.now()) return entry.value
    entries.delete(key)
    return undefined
  }
  const write = (key: string, value: Buffer, ttlMilliseconds: number): void => {
    // Small buffers are pieces of larger ones, which each would keep in memory whole.
    const copy = Buffer.allocUnsafeSlow(value.length)
    value.copy(copy)
    keep(entries, key, { value: copy, until: clock.now() + ttlMilliseconds }, maxEntries)
  }

  return {
    async get(key) {
      return valueOf(key)
    },
    async put(key, value, ttlMilliseconds, generation) {
      if (generation < (guards.get(key)?.generation ?? 0)) return false
      write(key, value, ttlMilliseconds)
      return true
    },
    async replace(key, value, ttlMilliseconds) {
      if (valueOf(key) === undefined) return false
      write(key, value, ttlMilliseconds)
      return true
    },
    async touch(key, ttlMilliseconds) {
      const value = valueOf(key)
      // What is in use counts as written now: a flood of new values does not push it out.
      if (value !== undefined) keep(entries, key, { value, until: clock.now() + ttlMilliseconds }, maxEntries)
      return value !== undefined
    },
    async take(key) {
      const value = valueOf(key)
      entries.delete(key)
      return value
    },
    async remove(key) {
      const value = valueOf(key)
      entries.delete(key)
      const guard = guards.get(key)
      // Without a guard there was no lease whose write could come too late.
      if (guard !== undefined) guards.set(key, { ...guard, generation: ++counter })
      return value
    },
    async lease(key, ttlMilliseconds) {
      const guard = guards.get(key)
      if (guard !== undefined && guard.holder !== 0 && guard.until > clock.now()) return undefined
      const generation = ++counter
      keep(guards, key, { generation, holder: generation, until: clock.now() + ttlMilliseconds }, maxEntries)
      return {
        generation,
        async extend(ttl) {
          const held = guards.get(key)
          if (held?.holder !== generation || held.until <= clock.now()) return false
          keep(guards, key, { ...held, until: clock.now() + ttl }, maxEntries)
          return true
        },
        async release() {
          const held = guards.get(key)
          if (held?.holder !== generation) return
          guards.set(key, { ...held, holder: 0 })
          room.wake(key)
        },
      }
    },
    awaitRelease: (key, milliseconds) => room.wait(key, milliseconds),
    announce(key) {
      for (const listener of listeners) listener(key)
    },
    onAnnounced(listener) {
      listeners.push(listener)
    },
    async close() {
      entries.clear()
    },
  }
}

function keep<T>(map: Map<string, T>, key: string, value: T, most: number): void {
  map.delete(key)
  if (map.size >= most) {
    const oldest = map.keys().next()
    if (oldest.done !== true) map.delete(oldest.value)
  }
  map.set(key, value)
}
