const KEPT_CALLS = 50_000

interface CallRecord {
  /** The Looker operationId, `preflight`, or `unmatched` for a path Looker does not have. */
  readonly operationId: string
  readonly method: string
  /** Without the query; a path that would hold a secret is the operation's template instead. */
  readonly path: string
  /** The query as sent, values of tokens and secrets blanked. */
  readonly query: string
  /** Milliseconds, by the emulated clock. */
  readonly time: number
  /** Holder of the token presented, absent when it is nobody's. */
  readonly userId: string | undefined
  /** First hex digits of the presented bearer token's SHA-256. */
  readonly tokenFingerprint: string | undefined
  readonly userAgent: string | undefined
  readonly requestId: string | undefined
  /** Lower-case names of the headers received. */
  readonly headers: readonly string[]
  /** Absent until answered. */
  status?: number
  /** The caller went away, or a fault ended the connection, before the whole answer was written. */
  aborted: boolean
}

export interface CallLog {
  /** The last 50,000 calls in order of arrival; `count` and `highWater` know all of them. */
  readonly list: readonly CallRecord[]
  count(operationId?: string): number
  /** The most calls ever in flight at once. */
  highWater(operationId?: string): number
  /** The same for calls made with an administrator's token, and `login` itself. */
  serviceHighWater(): number
  inFlight(operationId?: string): number
  reset(): void
}

export interface Flight {
  readonly record: CallRecord
  /** May be called more than once; the first call ends the flight. */
  settle(): void
}

interface Gauge {
  begun: number
  flying: number
  most: number
}

export interface RecordingCallLog extends CallLog {
  begin(record: CallRecord, byService: boolean): Flight
}

export function createCallLog(): RecordingCallLog {
  let records: CallRecord[] = []
  const overall: Gauge = { begun: 0, flying: 0, most: 0 }
  const service: Gauge = { begun: 0, flying: 0, most: 0 }
  const operations = new Map<string, Gauge>()

  function gaugeOf(operationId: string): Gauge {
    let gauge = operations.get(operationId)
    if (gauge === undefined) operations.set(operationId, (gauge = { begun: 0, flying: 0, most: 0 }))
    return gauge
  }
  const read = (operationId: string | undefined): Gauge | undefined =>
    operationId === undefined ? overall : operations.get(operationId)

  return {
    get list() {
      return records.slice(-KEPT_CALLS)
    },
    count: operationId => read(operationId)?.begun ?? 0,
    highWater: operationId => read(operationId)?.most ?? 0,
    serviceHighWater: () => service.most,
    inFlight: operationId => read(operationId)?.flying ?? 0,
    reset() {
      records = []
      // What is in the air stays in the air, or the count would go below nought when it lands.
      const rebase = ({ flying }: Gauge): Gauge => ({ begun: 0, flying, most: flying })
      Object.assign(overall, rebase(overall))
      Object.assign(service, rebase(service))
      for (const gauge of operations.values()) Object.assign(gauge, rebase(gauge))
    },
    begin(record, byService) {
      records.push(record)
      // Cut in bulk: a slice for every call would cost more than the call.
      if (records.length > KEPT_CALLS * 1.2) records = records.slice(-KEPT_CALLS)
      const gauges = byService
        ? [overall, gaugeOf(record.operationId), service]
        : [overall, gaugeOf(record.operationId)]
      for (const gauge of gauges) {
        gauge.begun += 1
        gauge.flying += 1
        gauge.most = Math.max(gauge.most, gauge.flying)
      }
      let landed = false
      return {
        record,
        settle() {
          if (landed) return
          landed = true
          for (const gauge of gauges) gauge.flying -= 1
        },
      }
    },
  }
}
