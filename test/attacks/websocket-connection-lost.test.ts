import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { expect, onTestFinished, test, vi } from 'vitest'
import { startProxy } from '../support/proxy.ts'
import { HANDSHAKE } from '../support/raw-websocket.ts'
import { startWebSocketApp } from '../support/websocket-app.ts'

const UPGRADE = `GET / HTTP/1.1\r\n${[...HANDSHAKE, 'Authorization: Bearer ana'].join('\r\n')}\r\n\r\n`

async function dial(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  return socket
}

// Either would be an error event that nobody hears, which ends a process. Vitest fails a run that has one.

test.for(['resetAndDestroy', 'destroy'] as const)(
  'an upgrade that is given up while the guard waits harms nobody: %s',
  async way => {
    const waits = Promise.withResolvers<void>()
    const held = Promise.withResolvers<void>()
    const app = await startWebSocketApp()
    const proxy = await startProxy(app.url, {
      hold() {
        waits.resolve()
        return held.promise
      },
    })
    const socket = await dial(proxy.url)
    socket.write(UPGRADE)
    await waits.promise
    socket[way]()
    await vi.waitFor(() => expect(proxy.ended.map(({ status }) => status)).toEqual([499]))
    held.resolve()
    expect((await fetch(proxy.url, { headers: { authorization: 'Bearer ana' } })).status).toBe(200)
    expect(app.sockets).toEqual([])
  },
)

test('an upgrade behind a request that is not answered yet is cut off, and harms nobody', async () => {
  const held = Promise.withResolvers<void>()
  const app = await startWebSocketApp()
  const proxy = await startProxy(app.url, { hold: () => held.promise })
  const socket = await dial(proxy.url)
  socket.write(`GET /first HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ana\r\n\r\n${UPGRADE}`)
  await once(socket, 'close')
  held.resolve()
  expect((await fetch(proxy.url, { headers: { authorization: 'Bearer ana' } })).status).toBe(200)
  expect(app.sockets).toEqual([])
})

test('an upgrade behind a request that is answered is one like any other', async () => {
  const app = await startWebSocketApp()
  const proxy = await startProxy(app.url)
  const socket = await dial(proxy.url)
  socket.write('GET /first HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ana\r\n\r\n')
  await once(socket, 'data')
  socket.write(UPGRADE)
  await vi.waitFor(() => expect(app.sockets).toHaveLength(1))
})
