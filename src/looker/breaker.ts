import type { Clock } from '../core/clock.ts'
import { Refusal } from '../core/failure.ts'

const FAILURES_TO_OPEN = 5
const OPEN_SECONDS = 5

/** Leaves a Looker that is down alone: after failures in a row nobody asks for a while, then one asks for all. */
export interface Breaker {
  /** @throws {Refusal} `looker-unavailable`, reason `breaker-open`, without asking. */
  check(): void
  succeeded(): void
  failed(): void
}

export function createBreaker(clock: Clock): Breaker {
  let failures = 0
  let openUntil = 0
  return {
    check() {
      if (failures < FAILURES_TO_OPEN) return
      const left = openUntil - clock.now()
      if (left > 0) {
        throw new Refusal({
          kind: 'looker-unavailable',
          reason: 'breaker-open',
          retryAfterSeconds: Math.max(1, Math.ceil(left / 1000)),
        })
      }
      // This caller is the probe; the others go on being refused until it is back.
      openUntil = clock.now() + OPEN_SECONDS * 1000
    },
    succeeded() {
      failures = 0
    },
    failed() {
      failures++
      if (failures >= FAILURES_TO_OPEN) openUntil = clock.now() + OPEN_SECONDS * 1000
    },
  }
}
