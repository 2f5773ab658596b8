import type { Clock } from '../core/clock.ts'
import type { Store } from './store.ts'
import { createWaitingRoom } from './waiting-room.ts'

const MAX_ENTRIES = 100_000

interface Entry {
  readonly value: Buffer
  readonly until: number
}

/** The store of a single process. Bounded: past the bound the entry written longest ago goes first. */
export function createMemoryStore(clock: Clock): Store {
  const entries = new Map<string, Entry>()
  const leases = new Map<string, { readonly generation: number; readonly until: number }>()
  const room = createWaitingRoom()
  const listeners: ((key: string) => void)[] = []
  // One counter for all keys serves: generations have to grow, not to be without gaps.
  let counter = 0
  // The youngest generation at which each key was removed, kept only while a lease on the key is under way.
  const removedAt = new Map<string, number>()

  return {
    async get(key) {
      const entry = entries.get(key)
      if (entry === undefined) return undefined
      if (entry.until > clock.now()) return entry.value
      entries.delete(key)
      return undefined
    },
    async put(key, value, ttlMilliseconds, generation) {
      if (generation < (removedAt.get(key) ?? 0)) return false
      entries.delete(key)
      if (entries.size >= MAX_ENTRIES) {
        const oldest = entries.keys().next()
        if (oldest.done !== true) entries.delete(oldest.value)
      }
      entries.set(key, { value, until: clock.now() + ttlMilliseconds })
      return true
    },
    async remove(key) {
      entries.delete(key)
      if (leases.has(key)) removedAt.set(key, ++counter)
    },
    async lease(key, ttlMilliseconds) {
      const held = leases.get(key)
      if (held !== undefined && held.until > clock.now()) return undefined
      const generation = ++counter
      leases.set(key, { generation, until: clock.now() + ttlMilliseconds })
      return {
        generation,
        async release() {
          if (leases.get(key)?.generation !== generation) return
          leases.delete(key)
          removedAt.delete(key)
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
