import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'undici'
import { expect, onTestFinished, test, vi } from 'vitest'
import { exchangeForm, startSidecarProcess } from '../support/process.ts'
import { startPlainIssuer } from '../support/plain-issuer.ts'
import { startWorld, type Written } from '../support/world.ts'

const PEOPLE = 10_000
/** So many connect at once, while those before wait for their answers. */
const WAVE = 500
/** It takes half a minute where nothing else goes on. */
const DEADLINE_SECONDS = 240

/** As many connections as there are people, where the machine lets a process open so many. */
function connections(): number {
  const limit = Number(/Max open files\s+\d+\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1])
  return Math.min(PEOPLE, Math.max(1000, limit - 1000))
}

test('ten thousand people at once are each logged in once, by a sidecar that stays small', async () => {
  const world = await startWorld()
  onTestFinished(() => world.close())
  const looker = { ...(world.written()['looker'] as Written), timeoutSeconds: DEADLINE_SECONDS }
  // Its keys are of a kind that signs for ten thousand in a second.
  const issuer = await startPlainIssuer()
  onTestFinished(() => issuer.close())
  const subjects = Array.from({ length: PEOPLE }, (_, index) => issuer.sign({ sub: `person-${index}` }))
  const issuers = [{ name: 'corp', issuer: issuer.issuer, audiences: ['sallyport'] }]
  const sidecar = await startSidecarProcess(world.written({ looker, issuers }))
  onTestFinished(() => sidecar.stop())
  const agent = new Agent({
    connections: connections(),
    pipelining: 1,
    headersTimeout: DEADLINE_SECONDS * 1000,
    connect: { timeout: 60_000 },
  })
  onTestFinished(() => agent.destroy())

  const exchange = async (subject: string): Promise<[number, unknown]> => {
    try {
      const { statusCode, body } = await request(`${sidecar.url}/sallyport/token`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: exchangeForm(subject).toString(),
        dispatcher: agent,
      })
      const text = await body.text()
      return [statusCode, statusCode === 200 ? (JSON.parse(text) as { access_token: string }).access_token : text]
    } catch (error) {
      return [0, error]
    }
  }

  // Everybody is waiting before anybody is answered: no case takes more memory.
  world.looker.faults.inject({ kind: 'delay', operation: 'login', milliseconds: 15_000 })
  let sent = 0
  const count = (): void => void sent++
  subscribe('undici:client:sendHeaders', count)
  onTestFinished(() => void unsubscribe('undici:client:sendHeaders', count))
  const started = performance.now()
  const asking: ReturnType<typeof exchange>[] = []
  for (let from = 0; from < PEOPLE; from += WAVE) {
    asking.push(...subjects.slice(from, from + WAVE).map(exchange))
    // Who has connected has 15 s for a request, which so many connections at once are too many for on a busy machine.
    await vi.waitFor(() => expect(sent).toBeGreaterThanOrEqual(asking.length), { timeout: 60_000, interval: 5 })
  }
  const statuses = await Promise.all(asking)
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
  // In MiB: 400 MB.
  expect(memory).toBeLessThan(381)
  expect((await fetch(`${sidecar.adminUrl}/livez`)).status).toBe(200)
}, 300_000)
