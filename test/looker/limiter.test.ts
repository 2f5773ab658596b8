import { expect, test } from 'vitest'
import { Refusal } from '../../src/core/failure.ts'
import { createLimiter } from '../../src/looker/limiter.ts'

const failureOf = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'no failure',
    (error: unknown) => (error instanceof Refusal ? error.failure : error),
  )

test('runs no more than so many at once, first come first served', async () => {
  const limiter = createLimiter({ atOnce: 3, waitSeconds: 30 })
  let [running, most] = [0, 0]
  const order: number[] = []
  await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      limiter.run(async () => {
        order.push(index)
        most = Math.max(most, ++running)
        await new Promise(resolve => setTimeout(resolve, 1))
        running--
      }),
    ),
  )
  expect(most).toBe(3)
  expect(order).toEqual(order.toSorted((a, b) => a - b))
})

test('gives the place on when a task fails', async () => {
  const limiter = createLimiter({ atOnce: 1, waitSeconds: 30 })
  const failing = Array.from({ length: 5 }, () => limiter.run(() => Promise.reject(new Error('a task'))))
  const last = limiter.run(async () => 'done')
  for (const outcome of await Promise.allSettled(failing)) expect(outcome.status).toBe('rejected')
  expect(await last).toBe('done')
})

test('refuses who waited too long, with a time to try again, and serves the next', async () => {
  const limiter = createLimiter({ atOnce: 1, waitSeconds: 0.05 })
  let finish = (): void => {}
  const long = limiter.run(() => new Promise<void>(resolve => (finish = resolve)))
  let started = false
  expect(await failureOf(limiter.run(async () => (started = true)))).toEqual({
    kind: 'overloaded',
    retryAfterSeconds: 1,
  })
  finish()
  await long
  expect(started).toBe(false)
  expect(await limiter.run(async () => 'next')).toBe('next')
})

test('refuses at once where twenty thousand wait already', async () => {
  const limiter = createLimiter({ atOnce: 1, waitSeconds: 30 })
  let finish = (): void => {}
  const first = limiter.run(() => new Promise<void>(resolve => (finish = resolve)))
  const waiting = Array.from({ length: 20_000 }, () => limiter.run(async () => {}))
  expect(await failureOf(limiter.run(async () => {}))).toEqual({ kind: 'overloaded', retryAfterSeconds: 3 })
  finish()
  await Promise.all([first, ...waiting])
  expect(await limiter.run(async () => 'again')).toBe('again')
})
