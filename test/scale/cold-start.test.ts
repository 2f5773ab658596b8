import { readFileSync } from 'node:fs'
import { Agent, request } from 'undici'
import { expect, onTestFinished, test } from 'vitest'
import { signForMany } from './crowd.ts'
import { exchangeForm, startSidecarProcess } from '../support/process.ts'
import { startWorld, type Written } from '../support/world.ts'

const PEOPLE = 10_000

/** As many connections as there are people, where the machine lets a process open so many. */
function connections(): number {
  const limit = Number(/Max open files\s+\d+\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1])
  return Math.min(PEOPLE, Math.max(1000, limit - 1000))
}

test('ten thousand people at once are each logged in once, by a sidecar that stays small', async () => {
  const world = await startWorld()
  onTestFinished(() => world.close())
  const looker = { ...(world.written()['looker'] as Written), timeoutSeconds: 60 }
  const sidecar = await startSidecarProcess(world.written({ looker }))
  onTestFinished(() => sidecar.stop())
  const subjects = await signForMany(world.issuer, PEOPLE)
  const agent = new Agent({
    connections: connections(),
    pipelining: 1,
    headersTimeout: 120_000,
    connect: { timeout: 60_000 },
  })
  onTestFinished(() => agent.destroy())

  const started = performance.now()
  const statuses = await Promise.all(
    subjects.map(async subject => {
      const { statusCode, body } = await request(`${sidecar.url}/sallyport/token`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: exchangeForm(subject).toString(),
        dispatcher: agent,
      })
      return [
        statusCode,
        statusCode === 200 ? ((await body.json()) as { access_token: string }).access_token : await body.text(),
      ]
    }),
  )
  const seconds = (performance.now() - started) / 1000
  const memory = sidecar.highWater()
  process.stderr.write(`${PEOPLE} people in ${seconds.toFixed(1)} s, ${memory.toFixed(0)} MiB at most\n`)

  expect(statuses.filter(([status]) => status !== 200)).toEqual([])
  expect(new Set(statuses.map(([, token]) => token)).size).toBe(PEOPLE)
  const { calls } = world.looker
  expect({
    login: calls.count('login'),
    login_user: calls.count('login_user'),
    acquire: calls.count('acquire_embed_cookieless_session'),
  }).toEqual({ login: 1, login_user: PEOPLE, acquire: PEOPLE })
  expect(calls.serviceHighWater()).toBeLessThanOrEqual(8)
  expect(memory).toBeLessThan(400)
  expect((await fetch(`${sidecar.adminUrl}/livez`)).status).toBe(200)
}, 120_000)
