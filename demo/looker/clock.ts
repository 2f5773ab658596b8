export interface TurnableClock {
  /** Milliseconds since the epoch, as the emulated Looker sees them. */
  readonly now: () => number
  /** Turns the clock; negative seconds turn it back. */
  advance(seconds: number): void
}

export function createTurnableClock(source: () => number = Date.now): TurnableClock {
  let offsetMilliseconds = 0
  return {
    now: () => source() + offsetMilliseconds,
    advance(seconds) {
      offsetMilliseconds += seconds * 1000
    },
  }
}
