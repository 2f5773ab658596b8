import type { Identity } from '../core/identity.ts'
import type { SessionOwner } from './session-record.ts'

const MAX_REMEMBERED = 20_000

/** A session as a replica remembers it: without any token. */
export interface RememberedSession {
  readonly identity: Identity
  readonly version: string
  readonly owner: SessionOwner
  /** The names by which announcements speak of it. */
  readonly names: readonly string[]
  readonly endsAt: number
  /** When the issuer's tokens are to be refreshed, and when they lapse; never where they cannot be. */
  readonly refreshAt: number
  readonly lapsesAt: number
  /** After refreshes that failed. */
  failures: number
  retryAt: number
  /** When the store last had it. */
  confirmedAt: number
  /** Until when it is believed without a look into the store. */
  lookAt: number
}

export interface SessionMemory {
  get(id: string): RememberedSession | undefined
  set(id: string, session: RememberedSession): void
  delete(id: string): void
  idsNamed(name: string): Iterable<string>
}

/** Bounded: past the bound the session that was looked up longest ago goes first. */
export function createSessionMemory(): SessionMemory {
  const sessions = new Map<string, RememberedSession>()
  const idsByName = new Map<string, Set<string>>()

  const forget = (id: string): void => {
    const session = sessions.get(id)
    if (session === undefined) return
    sessions.delete(id)
    for (const name of session.names) {
      const ids = idsByName.get(name)
      ids?.delete(id)
      if (ids?.size === 0) idsByName.delete(name)
    }
  }

  return {
    get: id => sessions.get(id),
    set(id, session) {
      if (sessions.get(id)?.names === session.names) {
        sessions.delete(id)
        sessions.set(id, session)
        return
      }
      forget(id)
      if (sessions.size >= MAX_REMEMBERED) {
        const oldest = sessions.keys().next()
        if (oldest.done !== true) forget(oldest.value)
      }
      sessions.set(id, session)
      for (const name of session.names) idsByName.set(name, (idsByName.get(name) ?? new Set()).add(id))
    },
    delete: forget,
    idsNamed: name => idsByName.get(name) ?? [],
  }
}
