import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { ask } from '../store/topologies.ts'
import { type SidecarProcess, startSidecarProcess } from '../support/process.ts'
import { type RedisServer, startRedisServer } from '../support/redis-server.ts'
import { json, redisStore, startWorld, type World } from '../support/world.ts'

const KNOWN = 20

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

const pause = (milliseconds: number): Promise<void> => new Promise(resolve => setTimeout(resolve, milliseconds))
const sign = (sub: string): Promise<string> => world.issuer.sign({ sub })

async function start(): Promise<{ redis: RedisServer; sidecar: SidecarProcess; tokens: Map<string, unknown> }> {
  const redis = await startRedisServer({ appendOnly: true })
  onTestFinished(() => redis.stop())
  const sidecar = await startSidecarProcess(world.written({ store: redisStore(redis.url) }))
  onTestFinished(() => sidecar.stop())
  const tokens = new Map<string, unknown>()
  for (let count = 0; count < KNOWN; count++) {
    const subject = await sign(`known-${count}`)
    tokens.set(subject, (await json(sidecar.exchange(subject)))['access_token'])
  }
  return { redis, sidecar, tokens }
}

interface Outage {
  readonly how: string
  readonly seconds: number
  begin(redis: RedisServer): unknown
  finish(redis: RedisServer): unknown
}

const OUTAGES: Outage[] = [
  { how: 'is gone', seconds: 10, begin: redis => redis.halt(), finish: redis => redis.resume() },
  {
    how: 'does not answer',
    seconds: 4,
    begin: redis => process.kill(redis.pid, 'SIGSTOP'),
    finish: redis => process.kill(redis.pid, 'SIGCONT'),
  },
]

test.for(OUTAGES)(
  'while Redis $how, who is known is served, who is not is told to come back, and then all is as before',
  { timeout: 60_000 },
  async outage => {
    const { how, seconds } = outage
    const { redis, sidecar, tokens } = await start()
    const wrong: unknown[] = []
    const load = { over: false, served: 0 }
    // The load: everybody who is known, again and again, throughout.
    const clients = Promise.all(
      [...tokens].map(async ([subject, token]) => {
        while (!load.over) {
          const response = await sidecar.exchange(subject).catch((error: unknown) => error)
          const body = response instanceof Response ? await json(response) : { error: String(response) }
          if (body['access_token'] === token) load.served++
          else wrong.push(body)
          await pause(50)
        }
      }),
    )
    await outage.begin(redis)
    const until = performance.now() + seconds * 1000
    for (let count = 0; performance.now() < until; count++) {
      const refused = await sidecar.exchange(await sign(`${how}-${count}`))
      expect(refused.status).toBe(503)
      expect(refused.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
      expect(await json(refused)).toMatchObject({ problem: 'urn:sallyport:problem:store-unavailable' })
      // A bearer is verified as ever; nothing of it is in the store.
      const session = await fetch(`${sidecar.url}/sallyport/session`, {
        headers: { authorization: `Bearer ${await sign(`${how}-${count}`)}` },
      })
      expect(session.status).toBe(200)
      await pause(200)
    }
    await outage.finish(redis)
    // From when Redis takes commands, not from when it was told to: starting it is not ours to be quick at.
    await vi.waitFor(() => ask(redis.port, 'PING'), { timeout: 10_000, interval: 5 })
    const back = performance.now()
    for (;;) {
      const response = await sidecar.exchange(await sign(`${how}-after`))
      await response.text()
      if (response.status === 200) break
      expect(performance.now() - back).toBeLessThan(5000)
      await pause(50)
    }
    const recoverySeconds = (performance.now() - back) / 1000
    await pause(500)
    load.over = true
    await clients
    process.stderr.write(`Redis ${how}: back in use after ${recoverySeconds.toFixed(2)} s\n`)
    expect(recoverySeconds).toBeLessThan(2)
    expect(wrong).toEqual([])
    expect(load.served).toBeGreaterThan(KNOWN * seconds)
    expect((await fetch(`${sidecar.adminUrl}/livez`)).status).toBe(200)
    expect(sidecar.output()).not.toMatch(/unhandled|Unhandled/)
  },
)
