import { setTimeout as pause } from 'node:timers/promises'
import { WebSocket } from 'undici'
import { expect, onTestFinished, test, vi } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { sessionOf, signIn, whoIs } from '../support/sign-in.ts'
import { createTurnedClock } from '../support/turned-clock.ts'
import { redisStore, startWorld } from '../support/world.ts'
import { startWebSocketApp } from '../support/websocket-app.ts'
import { createPeople, replicaSections, sessionEvents } from './sessions.ts'

/** SALLYPORT_TEST_LONG: ten minutes by the clock on the wall, in place of some by one that is turned. */
const LONG = process.env['SALLYPORT_TEST_LONG'] !== undefined
const LONG_MINUTES = 10
const ACCESS_TOKEN_SECONDS = LONG ? 60 : 300
/** Some refreshes ahead of the end of the access token, some after it. */
const TURNS = [4, 6, 4]

test('a WebSocket and server-sent events stay open, and lose nothing, while their session is refreshed again and again', {
  timeout: (LONG_MINUTES + 1) * 60_000,
}, async () => {
  const people = createPeople(1)
  const [person = { id: '' }] = people
  const world = await startWorld({ issuer: { people, accessTokenLifeSeconds: ACCESS_TOKEN_SECONDS } })
  onTestFinished(() => world.close())
  const turned = createTurnedClock()
  const clock = LONG ? systemClock : turned
  const store = redisStore()
  const sockets = await startWebSocketApp()
  const here = await world.loginSidecar({ store, app: { url: sockets.url } }, { clock })
  const there = await world.sidecar(replicaSections(world, here.url, store), { clock })
  const { browser } = await signIn(here, person.id)
  const session = sessionOf(browser, here) ?? ''

  const socket = openSocket(here.url, session)
  const events = await openEvents(there.url, session)
  const asked = world.issuer.hits.token
  const refreshes = (): number => world.issuer.hits.token - asked
  if (LONG) {
    const until = performance.now() + LONG_MINUTES * 60_000
    while (performance.now() < until) {
      await socket.echoed()
      await pause(1000)
    }
    process.stderr.write(
      `${LONG_MINUTES} minutes: ${refreshes()} refreshes, ${socket.count()} echoes, ${events.count()} events\n`,
    )
    expect(refreshes()).toBeGreaterThanOrEqual((LONG_MINUTES * 60) / ACCESS_TOKEN_SECONDS)
    expect(events.count()).toBeGreaterThan(LONG_MINUTES * 50)
  } else {
    for (const [index, minutes] of TURNS.entries()) {
      turned.turn({ minutes })
      // Nobody makes a request: the open socket is use enough.
      await vi.waitFor(() => expect(refreshes()).toBe(index + 1), { timeout: 10_000, interval: 10 })
      await socket.echoed()
      const seen = events.count()
      await vi.waitFor(() => expect(events.count()).toBeGreaterThan(seen), { timeout: 10_000, interval: 10 })
    }
  }
  for (const replica of [here, there]) expect(await whoIs(replica, session)).toBe(person.id)
  expect({ socket: socket.closed(), events: events.ended() }).toEqual({ socket: undefined, events: false })
  expect(events.ids()).toEqual(events.ids().map((_id, index) => index))
  expect(await sessionEvents([here, there])).toMatchObject({ refreshed: refreshes(), ended: 0, expired: 0 })
  expect(sockets.sockets).toHaveLength(1)
  expect(sockets.sockets[0]?.frames).toHaveLength(socket.count())

  // And after all that its end is still noticed.
  const headers = { cookie: `sallyport=${session}`, origin: here.url }
  expect((await there.fetch('/sallyport/logout', { method: 'POST', headers })).status).toBe(303)
  await vi.waitFor(() => expect(socket.closed()).toBe(1008), { timeout: 6000, interval: 10 })
})

interface EchoSocket {
  /** Resolves when what was sent now has come back, after all that was sent before. */
  echoed(): Promise<void>
  /** How often it did. */
  count(): number
  /** The code, once it is closed. */
  closed(): number | undefined
}

function openSocket(url: string, session: string): EchoSocket {
  const headers = { cookie: `sallyport=${session}`, origin: url }
  const socket = new WebSocket(url.replace('http', 'ws'), { headers })
  onTestFinished(() => socket.close())
  const received: unknown[] = []
  let code: number | undefined
  const opened = new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve())
    socket.addEventListener('error', ({ message }) => reject(new Error(message)))
  })
  socket.addEventListener('message', ({ data }) => received.push(data))
  socket.addEventListener('close', event => (code = event.code))
  const sent: string[] = []
  return {
    async echoed() {
      await opened
      const message = `message ${sent.length}`
      sent.push(message)
      socket.send(message)
      await vi.waitFor(() => expect(received).toEqual(sent), { timeout: 10_000, interval: 5 })
    },
    count: () => received.length,
    closed: () => code,
  }
}

interface EventReader {
  ids(): readonly number[]
  count(): number
  ended(): boolean
}

async function openEvents(url: string, session: string): Promise<EventReader> {
  const left = new AbortController()
  onTestFinished(() => left.abort())
  const response = await fetch(`${url}/stream?seconds=86400`, {
    headers: { cookie: `sallyport=${session}`, accept: 'text/event-stream' },
    signal: left.signal,
  })
  expect(response.status).toBe(200)
  const ids: number[] = []
  let ended = false
  const read = async (): Promise<void> => {
    let rest = ''
    for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const events = (rest + text).split('\n\n')
      rest = events.pop() ?? ''
      for (const event of events) ids.push(Number(/^id: (\d+)$/m.exec(event)?.[1]))
    }
  }
  const end = (): void => void (ended = true)
  read().then(end, end)
  return { ids: () => ids, count: () => ids.length, ended: () => ended }
}
