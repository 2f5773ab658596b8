import { setTimeout as pause } from 'node:timers/promises'
import type { Clock } from '../core/clock.ts'
import {
  parseRecord,
  type SessionOwner,
  type SessionRecord,
  type SessionVault,
  serialiseRecord,
  sessionPlace,
} from './session-record.ts'
import { endedBy, type SignOuts } from './session-sign-out.ts'

/** A write that failed is tried again this often: soon after the store is back, before anybody spends the old refresh token. */
const RETRY_MILLISECONDS = 250
/** A refreshed record is looked for once more after this long: a fail-over loses what was not yet copied. */
const SETTLE_MILLISECONDS = 5_000
/** A process that stops waits this long for a store that is away, if it has something to write. */
const LAST_CHANCE_MILLISECONDS = 5_000

/** The sessions as the store has them. Methods reject with `store-unavailable` where it cannot be reached. */
export interface SessionArchive {
  /** Undefined where there is no such session, or where it is over. Quicker where the owner is known already. */
  read(id: string, owner?: SessionOwner): Promise<SessionRecord | undefined>
  add(id: string, record: SessionRecord): Promise<void>
  /** Starts the idle time anew. */
  touch(id: string, endsAt: number): Promise<void>
  /**
   * Writes what a refresh made of the version `from`. Resolves with the record that counts from then on: this one,
   * another replica's, or none because the session ended meanwhile. The store may be away just now; the old refresh
   * token is spent all the same, so the record counts here at once and is written as soon as it can be: then `late` resolves.
   */
  replace(
    id: string,
    from: string,
    next: SessionRecord,
  ): Promise<{ record: SessionRecord | undefined; late: Promise<void> | undefined }>
  /** Removes a session; of all who do, one gets it. */
  take(id: string): Promise<SessionRecord | undefined>
  /** Gives what could not be written yet a last chance. */
  close(): Promise<void>
}

export interface SessionArchiveDeps {
  readonly vault: SessionVault
  readonly signOuts: SignOuts
  readonly clock: Clock
  readonly idleMilliseconds: number
  readonly report: (what: string, error: unknown) => void
}

interface Unsettled {
  readonly from: string
  readonly next: SessionRecord
}

export function createSessionArchive(deps: SessionArchiveDeps): SessionArchive {
  const { vault, signOuts, clock } = deps
  const unsettled = new Map<string, Unsettled>()
  const unwritten = new Set<Promise<void>>()
  const closing = new AbortController()

  const lifeUntil = (endsAt: number): number => Math.min(deps.idleMilliseconds, endsAt - clock.now())

  const stored = async (id: string, owner?: SessionOwner): Promise<SessionRecord | undefined> => {
    const [record, known] = await Promise.all([vault.read(sessionPlace(id), parseRecord), owner && signOuts.of(owner)])
    if (record === undefined || record.endsAt <= clock.now()) return undefined
    return endedBy(known ?? (await signOuts.of(record)), record) ? undefined : record
  }

  const put = async (id: string, { from, next }: Unsettled): Promise<SessionRecord | undefined> => {
    const current = await stored(id, next)
    // Between this look and the write another replica may write too, if it outlived its lease: both have tokens that are good.
    if (current?.version !== from) return current
    const wrote = await vault.replace(sessionPlace(id), serialiseRecord(next), lifeUntil(next.endsAt))
    return wrote ? next : undefined
  }

  /** Goes on until the record was in the store for a while, or no longer counts. */
  const settle = async (id: string, record: Unsettled, written: boolean, onWritten?: () => void): Promise<void> => {
    let there = written
    for (;;) {
      await pause(there ? SETTLE_MILLISECONDS : RETRY_MILLISECONDS, undefined, { ref: false, signal: closing.signal })
      try {
        const current = await put(id, record)
        onWritten?.()
        if (there || current?.version !== record.next.version) break
        there = true
      } catch {
        there = false
      }
    }
    if (unsettled.get(id) === record) unsettled.delete(id)
  }
  /** Ended by `close`. */
  const settleUnlessClosed = (...args: Parameters<typeof settle>): void => void settle(...args).catch(() => {})

  return {
    async read(id, owner) {
      const record = await stored(id, owner)
      const own = unsettled.get(id)
      return record !== undefined && own?.from === record.version ? own.next : record
    },
    add: (id, record) => vault.write(sessionPlace(id), serialiseRecord(record), lifeUntil(record.endsAt)),
    async touch(id, endsAt) {
      await vault.touch(sessionPlace(id), lifeUntil(endsAt))
    },
    async replace(id, from, next) {
      const own = { from, next }
      unsettled.set(id, own)
      try {
        const record = await put(id, own)
        if (record?.version === next.version) settleUnlessClosed(id, own, true)
        else unsettled.delete(id)
        return { record, late: undefined }
      } catch (error) {
        deps.report('write of a refreshed session', error)
        const late = new Promise<void>(resolve => settleUnlessClosed(id, own, false, resolve))
        unwritten.add(late)
        void late.then(() => unwritten.delete(late))
        return { record: next, late }
      }
    },
    take: id => vault.take(sessionPlace(id), parseRecord),
    async close() {
      await Promise.race([Promise.all(unwritten), pause(LAST_CHANCE_MILLISECONDS, undefined, { ref: false })])
      closing.abort()
    },
  }
}
