import { Refusal } from '../core/failure.ts'

/** Runs tasks a few at a time, first come first served. */
export interface Limiter {
  /** @throws {Refusal} `overloaded` where too many wait already, or the wait took too long. */
  run<T>(task: () => Promise<T>): Promise<T>
}

/** Past this many the wait could not end within any deadline, and each one waiting costs memory. */
const MAX_WAITING = 20_000

export function createLimiter(options: { atOnce: number; waitSeconds: number }): Limiter {
  const { atOnce, waitSeconds } = options
  let running = 0
  // A Set keeps order and lets the one who gave up leave from the middle.
  const waiting = new Set<() => void>()

  const overloaded = (): Refusal => new Refusal({ kind: 'overloaded', retryAfterSeconds: Math.ceil(waitSeconds / 10) })

  const enter = (): Promise<void> | undefined => {
    if (running < atOnce) {
      running++
      return undefined
    }
    if (waiting.size >= MAX_WAITING) throw overloaded()
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(proceed)
        reject(overloaded())
      }, waitSeconds * 1000)
      const proceed = (): void => {
        clearTimeout(timer)
        resolve()
      }
      waiting.add(proceed)
    })
  }

  const leave = (): void => {
    const next = waiting.values().next()
    if (next.done === true) {
      running--
      return
    }
    // The place is handed over, so nobody who comes later can take it.
    waiting.delete(next.value)
    next.value()
  }

  return {
    async run(task) {
      await enter()
      try {
        return await task()
      } finally {
        leave()
      }
    },
  }
}
