import type { Clock } from '../../src/core/clock.ts'

export interface TurnedClock extends Clock {
  /** Moves the time on. */
  turn(by: { hours?: number; minutes?: number; seconds?: number }): void
}

/** A clock that stands still at the present until it is turned. */
export function createTurnedClock(): TurnedClock {
  let now = Date.now()
  return {
    now: () => now,
    turn({ hours = 0, minutes = 0, seconds = 0 }) {
      now += ((hours * 60 + minutes) * 60 + seconds) * 1000
    },
  }
}
