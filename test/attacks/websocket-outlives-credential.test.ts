import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { HANDSHAKE, openRawWebSocket } from '../support/raw-websocket.ts'
import { startWebSocketApp } from '../support/websocket-app.ts'
import { startWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

test('a socket is closed with 1008 when the bearer that opened it expires', async () => {
  const app = await startWebSocketApp()
  const sidecar = await world.sidecar({ app: { url: app.url } })
  const exp = Math.floor(Date.now() / 1000) + 2
  const bearer = await world.issuer.sign({ sub: 'ana', exp })
  const { read, socket } = await openRawWebSocket(sidecar.url, '/', [...HANDSHAKE, `Authorization: Bearer ${bearer}`])
  const { frames, code } = read()
  await vi.waitFor(() => expect(frames).toHaveLength(1), 5000)
  expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000)
  socket.end()
  expect(await code).toBe(1008)
})

test('a socket that nobody’s credential opened stays, and is on record like any request', async () => {
  const app = await startWebSocketApp()
  const sidecar = await world.sidecar({ app: { url: app.url }, rules: [{ paths: ['/**'], access: 'public' }] })
  const headers = [...HANDSHAKE, 'X-Request-Id: an-open-socket', 'X-Forwarded-User: admin']
  const { status } = await openRawWebSocket(sidecar.url, '/chat?secret', headers)
  expect(status).toBe(101)
  expect(app.sockets[0]?.request.headers).not.toHaveProperty('x-forwarded-user')
  const lines = await vi.waitFor(() => {
    const found = sidecar.audit.filter(line => JSON.stringify(line).includes('an-open-socket'))
    expect(found).toHaveLength(1)
    return found
  })
  expect(lines[0]).toMatchObject({ status_id: 1, status_code: '101', api: { operation: 'GET /chat' } })
  expect(await sidecar.metrics()).toMatch(/^sallyport_http_requests_total\{route="app",method="GET",code="101"\} 1$/m)
})

test('a stop of the process closes what is open with 1001, and waits for nobody', async () => {
  const app = await startWebSocketApp()
  const sidecar = await world.sidecar({ app: { url: app.url } })
  const bearer = await world.issuer.sign({ sub: 'ana' })
  const { read, socket } = await openRawWebSocket(sidecar.url, '/', [...HANDSHAKE, `Authorization: Bearer ${bearer}`])
  const { frames, code } = read()
  const closed = sidecar.close()
  await vi.waitFor(() => expect(frames).toHaveLength(1))
  socket.end()
  expect(await code).toBe(1001)
  await closed
})
