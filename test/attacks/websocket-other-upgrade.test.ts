import { expect, test } from 'vitest'
import { startProxy } from '../support/proxy.ts'
import { rawRequest, sendRaw } from '../support/raw-http.ts'
import { HANDSHAKE } from '../support/raw-websocket.ts'
import { startWebSocketApp } from '../support/websocket-app.ts'

const WITHOUT_UPGRADE = HANDSHAKE.filter(line => !line.startsWith('Upgrade'))

test.for([
  ['h2c', 'GET / HTTP/1.1', ['Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQ'], ''],
  ['h2c first', 'GET / HTTP/1.1', ['Upgrade: h2c, websocket'], ''],
  ['h2c behind', 'GET / HTTP/1.1', ['Upgrade: websocket, h2c'], ''],
  ['two Upgrade headers', 'GET / HTTP/1.1', ['Upgrade: websocket', 'Upgrade: h2c'], ''],
  ['another protocol', 'GET / HTTP/1.1', ['Upgrade: TLS/1.0'], ''],
  ['a name that begins alike', 'GET / HTTP/1.1', ['Upgrade: websocket2'], ''],
  ['another method', 'POST / HTTP/1.1', ['Upgrade: websocket', 'Content-Length: 0'], ''],
  ['a method with a body', 'POST / HTTP/1.1', ['Upgrade: websocket', 'Content-Length: 2'], 'ok'],
  ['a body', 'GET / HTTP/1.1', ['Upgrade: websocket', 'Content-Length: 2'], 'ok'],
  ['a body in chunks', 'GET / HTTP/1.1', ['Upgrade: websocket', 'Transfer-Encoding: chunked'], '2\r\nok\r\n0\r\n\r\n'],
  ['HTTP/1.0', 'GET / HTTP/1.0', ['Upgrade: websocket'], ''],
] as const)('case 79: an upgrade with %s is a plain request without one', async ([, line, headers, body]) => {
  const app = await startWebSocketApp()
  const proxy = await startProxy(app.url, { publicPaths: true })
  const bytes = `${[line, ...WITHOUT_UPGRADE, ...headers, 'Connection: HTTP2-Settings, close'].join('\r\n')}\r\n\r\n${body}`
  const { status } = await sendRaw(proxy.url, bytes)
  expect({ status, sockets: app.sockets.length }).toEqual({ status: 200, sockets: 0 })
  expect(app.plain.map(request => request.headers)).toEqual([
    expect.not.objectContaining({ upgrade: expect.anything(), 'http2-settings': expect.anything() }),
  ])
})

test('case 79: a WebSocket without “Connection: upgrade” is a plain request', async () => {
  const app = await startWebSocketApp()
  const proxy = await startProxy(app.url, { publicPaths: true })
  const headers = ['Host: a', ...HANDSHAKE.filter(line => !/^(Connection|Host)/.test(line))]
  expect((await sendRaw(proxy.url, rawRequest('GET /', headers))).status).toBe(200)
  expect(app.plain[0]?.headers).not.toHaveProperty('upgrade')
})

test('case 79: CONNECT behind an upgrade opens no tunnel', async () => {
  const app = await startWebSocketApp()
  const proxy = await startProxy(app.url, { publicPaths: true })
  const { head } = await sendRaw(
    proxy.url,
    `CONNECT ${new URL(app.url).host} HTTP/1.1\r\n${HANDSHAKE.join('\r\n')}\r\n\r\n`,
  )
  expect(head).not.toMatch(/^HTTP\/1\.1 [12]/)
  expect([app.plain.length, app.sockets.length]).toEqual([0, 0])
})
