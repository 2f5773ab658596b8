import { Agent, request } from 'undici'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { exchangeForm, type SidecarProcess, startSidecarProcess } from '../support/process.ts'
import { json, redisStore, startWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

async function start(drainSeconds = 1): Promise<SidecarProcess> {
  const server = { publicUrl: 'http://127.0.0.1:8080', drainSeconds }
  const sidecar = await startSidecarProcess(world.written({ server, store: redisStore() }))
  onTestFinished(() => sidecar.stop())
  return sidecar
}

test('a sidecar that was killed and started again hands out the same token, for what is left of it', async () => {
  const sidecar = await start()
  const subject = await world.issuer.sign({ sub: 'survivor' })
  const before = await json(sidecar.exchange(subject))
  world.looker.calls.reset()
  expect(await sidecar.end('SIGKILL')).toBeNull()
  await sidecar.restart()
  // Seconds are whole: after more than one of them there is less left.
  await new Promise(resolve => setTimeout(resolve, 1100))
  const after = await json(sidecar.exchange(subject))
  expect(after['access_token']).toBe(before['access_token'])
  expect(after['expires_in']).toBeLessThan(Number(before['expires_in']))
  expect(after['expires_in']).toBeGreaterThan(3000)
  expect(world.looker.calls.count('login_user')).toBe(0)
})

test('no request fails while a sidecar under load is told to stop, and it ends with 0', async () => {
  const sidecar = await start(3)
  const subjects = await Promise.all(
    Array.from({ length: 20 }, (_, index) => world.issuer.sign({ sub: `busy-${index}` })),
  )
  world.looker.faults.inject({ kind: 'delay', operation: 'login_user', milliseconds: 300, times: 20 })
  const failures: unknown[] = []
  let served = 0

  // As clients that keep their connection: each goes on until it is told that the connection ends.
  const client = async (subject: string): Promise<void> => {
    const agent = new Agent({ connections: 1, pipelining: 1 })
    try {
      for (;;) {
        const { statusCode, headers, body } = await request(`${sidecar.url}/sallyport/token`, {
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: exchangeForm(subject).toString(),
          dispatcher: agent,
        })
        const text = await body.text()
        if (statusCode === 200) served++
        else failures.push([statusCode, text])
        if (headers['connection'] === 'close') return
        await new Promise(resolve => setTimeout(resolve, 10))
      }
    } catch (error) {
      failures.push(error)
    } finally {
      await agent.destroy()
    }
  }
  const clients = Promise.all(subjects.map(client))
  await new Promise(resolve => setTimeout(resolve, 400))
  const ended = sidecar.end('SIGTERM')
  // Meanwhile the probes say so, and it goes on serving those who come all the same.
  await expect.poll(async () => (await fetch(`${sidecar.adminUrl}/readyz`)).status).toBe(503)
  expect((await sidecar.exchange(subjects[0] ?? '')).status).toBe(200)
  await clients
  expect(failures).toEqual([])
  expect(served).toBeGreaterThanOrEqual(subjects.length)
  expect(await ended).toBe(0)
})

test('a request that is under way at the end of the drain is answered before the process ends', async () => {
  const sidecar = await start(0.1)
  await sidecar.exchange(await world.issuer.sign({ sub: 'warm' }))
  world.looker.faults.inject({ kind: 'delay', operation: 'login_user', milliseconds: 1500 })
  const slow = sidecar.exchange(await world.issuer.sign({ sub: 'slow' }))
  while (world.looker.calls.inFlight('login_user') === 0) await new Promise(resolve => setTimeout(resolve, 5))
  const ended = sidecar.end('SIGTERM')
  expect((await slow).status).toBe(200)
  const answeredAt = performance.now()
  expect(await ended).toBe(0)
  // Not held up by the connection, which its client would keep for longer.
  expect(performance.now() - answeredAt).toBeLessThan(5000)
})
