import { Refusal } from '../core/failure.ts'
import { CHAIN_START, type ChainState, createBatch } from './chain.ts'
import type { AuditEvent } from './event.ts'
import type { FileSink } from './file-sink.ts'
import type { OcsfWriter } from './ocsf.ts'

/** Lines that nobody waits for are written together this often. */
const BATCH_MILLISECONDS = 20
const RETRY_MILLISECONDS = 1000
/** While the sink is away this many lines are kept for it. */
const MAX_KEPT = 10_000

export interface AuditLog {
  /** Lets the request go on, or refuses it where it could not be audited. @throws {Refusal} `audit-unavailable`. */
  ensure(): void
  /** Writes the event soon. */
  record(event: AuditEvent): void
  /** Writes the event and resolves when it was taken. Rejects with `audit-unavailable` where it has to be and was not. */
  commit(event: AuditEvent): Promise<void>
  /** Writes what is left. */
  close(): Promise<void>
}

export interface AuditLogDeps {
  readonly write: OcsfWriter
  /** Standard output; the only sink where there is no file. Rejects where nobody reads it. The text is good until it settles. */
  readonly print: (text: Buffer) => Promise<void>
  readonly file: FileSink | undefined
  /** The key of the chain, asked for at each batch; without it the chain is not keyed. */
  readonly key: (() => Buffer) | undefined
  readonly onFailure: 'deny' | 'allow'
  readonly observe: (result: 'written' | 'failed' | 'dropped', count: number) => void
  readonly report: (error: unknown) => void
}

export function createAuditLog(deps: AuditLogDeps): AuditLog {
  const { file } = deps
  const begin = file?.resumed ?? CHAIN_START
  let { sequence } = begin
  /** Those of the batch to come. Written as lines one after the other, they cost half of what each does in the midst of its request. */
  const events: AuditEvent[] = []
  const batch = createBatch(begin)
  /** Closed batches that the file has not taken yet. */
  const unwritten: { text: Buffer; state: ChainState; count: number }[] = []
  let kept = 0
  let failing = false
  let timer: NodeJS.Timeout | undefined
  let flushing: Promise<void> | undefined

  const flush = (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    flushing ??= drain().finally(() => {
      flushing = undefined
      if (events.length > 0) flushSoon()
    })
    return flushing
  }

  const flushSoon = (): void => {
    timer ??= setTimeout(() => void flush(), failing ? RETRY_MILLISECONDS : BATCH_MILLISECONDS)
  }

  /** Writes what is there as it begins. What comes in meanwhile waits for the next batch: a write for each line costs as much as a request. */
  const drain = async (): Promise<void> => {
    const count = events.length
    if (count > 0) {
      for (const event of events) batch.add(deps.write(event, ++sequence))
      events.length = 0
      const { text, state } = batch.close(deps.key?.())
      unwritten.push({ text, state, count })
      kept += count
      // Nobody reads our output any more: the process says so once, and the file has it all.
      if (file !== undefined) await deps.print(text).catch(() => {})
    }
    for (let next = unwritten[0]; next !== undefined; next = unwritten[0]) {
      try {
        await (file === undefined ? deps.print(next.text) : file.append(next.text, next.state))
      } catch (error) {
        fail(error)
        return
      }
      unwritten.shift()
      kept -= next.count
      failing = false
      deps.observe('written', next.count)
    }
  }

  const fail = (error: unknown): void => {
    // Those before it were copied when they failed.
    const last = unwritten.at(-1)
    if (last !== undefined) last.text = Buffer.from(last.text)
    if (!failing) deps.report(error)
    failing = true
    deps.observe('failed', 1)
    timer ??= setTimeout(() => void flush(), RETRY_MILLISECONDS).unref()
  }

  /** Says whether there was room for the event. */
  const add = (event: AuditEvent): boolean => {
    if (kept + events.length >= MAX_KEPT) {
      deps.observe('dropped', 1)
      return false
    }
    events.push(event)
    return true
  }

  const ensure = (): void => {
    if (failing && deps.onFailure === 'deny') throw new Refusal({ kind: 'audit-unavailable' })
  }

  return {
    ensure,
    record(event) {
      add(event)
      timer ??= setTimeout(() => void flush(), BATCH_MILLISECONDS)
    },
    async commit(event) {
      const added = add(event)
      // A flush that is under way began without this event. The one behind it has it, whoever begins that.
      await flushing
      await flush()
      if (!added && deps.onFailure === 'deny') throw new Refusal({ kind: 'audit-unavailable' })
      ensure()
    },
    async close() {
      await flush()
      if (events.length > 0) await flush()
      await file?.close()
    },
  }
}
