import { Refusal } from '../core/failure.ts'

/** Runs tasks a few at a time, first come first served. */
export interface Limiter {
  /** @throws {Refusal} `overloaded` where too many wait already, or the wait took too long. */
  run<T>(task: () => Promise<T>): Promise<T>
}

/** Past this many the wait could not end within any deadline, and each one waiting costs memory. */
const MAX_WAITING = 20_000

interface Waiter {
  readonly begin: () => void
  readonly giveUp: (reason: Refusal) => void
  /** Of `performance.now()`. */
  readonly until: number
}

export function createLimiter(options: { atOnce: number; waitSeconds: number }): Limiter {
  const { atOnce, waitSeconds } = options
  let running = 0
  // A Set keeps order and lets the one who gave up leave from the middle. Thousands wait here, so a waiter is small.
  const waiting = new Set<Waiter>()
  let timer: NodeJS.Timeout | undefined

  const overloaded = (): Refusal => new Refusal({ kind: 'overloaded', retryAfterSeconds: Math.ceil(waitSeconds / 10) })

  /** All wait equally long, so the first in line is the first to give up: one timer serves them all. */
  const dismissLate = (): void => {
    timer = undefined
    const now = performance.now()
    for (const waiter of waiting) {
      if (waiter.until > now) {
        timer = setTimeout(dismissLate, waiter.until - now)
        return
      }
      waiting.delete(waiter)
      waiter.giveUp(overloaded())
    }
  }

  const leave = (): void => {
    const next = waiting.values().next()
    if (next.done === true) {
      running--
      return
    }
    // The place is handed over, so nobody who comes later can take it.
    waiting.delete(next.value)
    if (waiting.size === 0) {
      clearTimeout(timer)
      timer = undefined
    }
    next.value.begin()
  }

  const occupy = async <T>(task: () => Promise<T>): Promise<T> => {
    try {
      return await task()
    } finally {
      leave()
    }
  }

  return {
    async run(task) {
      if (running < atOnce) {
        running++
        return occupy(task)
      }
      if (waiting.size >= MAX_WAITING) throw overloaded()
      return new Promise((resolve, giveUp) => {
        waiting.add({ begin: () => resolve(occupy(task)), giveUp, until: performance.now() + waitSeconds * 1000 })
        timer ??= setTimeout(dismissLate, waitSeconds * 1000)
      })
    },
  }
}
