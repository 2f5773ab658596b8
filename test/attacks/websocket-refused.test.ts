import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { expectProblem } from '../support/problem.ts'
import { startProxy } from '../support/proxy.ts'
import { HANDSHAKE, openRawWebSocket, type RawWebSocket } from '../support/raw-websocket.ts'
import { freePort } from '../../demo/free-port.ts'
import { send } from '../support/tokens.ts'
import { startWebSocketApp } from '../support/websocket-app.ts'
import { startWorld, type World } from '../support/world.ts'

const as = (bearer: string): string[] => [...HANDSHAKE, `Authorization: Bearer ${bearer}`]
const without = (name: string): string[] => as('ana').filter(line => !line.startsWith(name))

/** As a `Response`, once the connection has ended, which it does. */
async function answerOf({ status, head, body }: RawWebSocket): Promise<Response> {
  const lines = head.split('\r\n').slice(1)
  expect(lines.filter(line => /^connection:/i.test(line))).toEqual([expect.stringMatching(/: close$/)])
  const headers = lines.map(
    line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)] as [string, string],
  )
  return new Response(await body(), { status, headers })
}

describe('by Sallyport, with a status, a problem document and the end of the connection', () => {
  test.for([
    ['no credential', HANDSHAKE, '/', 401, 'unauthenticated'],
    ['a bad bearer', as('bad'), '/', 401, 'invalid-token'],
    ['a bearer in the query', HANDSHAKE, '/?access_token=ana', 401, 'invalid-token'],
    ['a bearer in both', as('ana'), '/?access_token=ana', 400, 'bad-request'],
    ['a person whom the rule does not admit', as('nora'), '/', 403, 'forbidden'],
    ['a path that can be read two ways', as('ana'), '/a/%2e%2e/b', 400, 'bad-request'],
    ['a path that cannot be decoded', as('ana'), '/%zz', 400, 'bad-request'],
    ['two Host headers', [...as('ana'), 'Host: b'], '/', 400, 'bad-request'],
    ['an old version', [...without('Sec-WebSocket-Version'), 'Sec-WebSocket-Version: 8'], '/', 400, 'bad-request'],
    ['two versions', [...as('ana'), 'Sec-WebSocket-Version: 8'], '/', 400, 'bad-request'],
    ['no version', without('Sec-WebSocket-Version'), '/', 400, 'bad-request'],
    ['no key', without('Sec-WebSocket-Key'), '/', 400, 'bad-request'],
    ['a short key', [...without('Sec-WebSocket-Key'), 'Sec-WebSocket-Key: eA=='], '/', 400, 'bad-request'],
    ['two keys', [...as('ana'), 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='], '/', 400, 'bad-request'],
    ['a path of Sallyport’s', as('ana'), '/sallyport/nothing', 404, 'not-found'],
  ] as const)('case 79: %s', async ([, headers, target, status, kind]) => {
    const app = await startWebSocketApp()
    const proxy = await startProxy(app.url)
    await expectProblem(await answerOf(await openRawWebSocket(proxy.url, target, headers)), status, kind)
    expect([app.sockets.length, app.plain.length]).toEqual([0, 0])
    expect(proxy.ended.map(end => end.status)).toEqual([status])
  })

  test('and what is sent behind it is no request', async () => {
    const app = await startWebSocketApp()
    const proxy = await startProxy(app.url)
    const smuggled = `GET /admin HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ana\r\n\r\n`
    const { socket, body, status } = await openRawWebSocket(proxy.url, '/', [
      ...without('Sec-WebSocket-Version'),
      'Sec-WebSocket-Version: 7',
    ])
    socket.write(smuggled)
    expect([status, (await body()).includes('plain')]).toEqual([400, false])
    expect(app.plain).toEqual([])
  })
})

describe('by the app', () => {
  test('with an answer of its own, which the client gets', async () => {
    const large = 'no'.repeat(1_000_000)
    const app = await startWebSocketApp({
      onUpgrade(_request, stream) {
        stream.end(`HTTP/1.1 403 Not here\r\nX-App: 1\r\nContent-Length: ${large.length}\r\n\r\n${large}`)
      },
    })
    const proxy = await startProxy(app.url)
    const answer = await answerOf(await openRawWebSocket(proxy.url, '/', as('ana')))
    expect([answer.status, answer.headers.get('x-app'), (await answer.text()) === large]).toEqual([403, '1', true])
    expect(proxy.ended.map(end => end.status)).toEqual([403])
  })

  test('that is down: 502', async () => {
    const proxy = await startProxy(`http://127.0.0.1:${await freePort()}`)
    await expectProblem(await answerOf(await openRawWebSocket(proxy.url, '/', as('ana'))), 502, 'app-unavailable')
  })

  test('that says nothing: 504, after a time', async () => {
    const app = await startWebSocketApp({ onUpgrade: () => {} })
    const proxy = await startProxy(app.url, { timeoutMilliseconds: 200 })
    await expectProblem(await answerOf(await openRawWebSocket(proxy.url, '/', as('ana'))), 504, 'app-unavailable')
  })

  test.for([
    [
      'with another key',
      'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=',
    ],
    ['without a key', 'Upgrade: websocket\r\nConnection: Upgrade'],
    [
      'to another protocol',
      'Upgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
    ],
  ])('that agrees %s is 502, and nothing that follows reaches it', async ([, lines]) => {
    const heard: string[] = []
    const app = await startWebSocketApp({
      onUpgrade(_request, stream) {
        stream.on('data', (chunk: Buffer) => heard.push(chunk.toString()))
        stream.write(`HTTP/1.1 101 Switching Protocols\r\n${lines}\r\n\r\n`)
      },
    })
    const proxy = await startProxy(app.url)
    const opened = await openRawWebSocket(proxy.url, '/', as('ana'))
    opened.socket.write('GET /admin HTTP/1.1\r\nHost: a\r\n\r\n')
    await expectProblem(await answerOf(opened), 502, 'app-unavailable')
    expect(heard).toEqual([])
  })
})

describe('a client that goes away while the app thinks', () => {
  test.for(['resetAndDestroy', 'destroy'] as const)('frees the app: %s', async way => {
    let gone = false
    const asked = Promise.withResolvers<void>()
    const app = await startWebSocketApp({
      onUpgrade(_request, stream) {
        asked.resolve()
        stream.on('close', () => (gone = true)).resume()
      },
    })
    const proxy = await startProxy(app.url)
    const { hostname, port } = new URL(proxy.url)
    const socket = (await import('node:net')).connect(Number(port), hostname)
    socket.write(`GET / HTTP/1.1\r\n${as('ana').join('\r\n')}\r\n\r\n`)
    await asked.promise
    socket[way]()
    await vi.waitFor(() => expect(gone).toBe(true))
    expect(proxy.ended.map(end => end.status)).toEqual([499])
  })
})

describe('on a plain path of Sallyport’s', () => {
  let world: World
  beforeAll(async () => {
    world = await startWorld()
  })
  afterAll(() => world.close())

  test('an upgrade is not heard, and the answer is the usual one', async () => {
    const sidecar = await world.sidecar()
    const bearer = await world.issuer.sign({ sub: 'ana' })
    const { status, body } = await openRawWebSocket(sidecar.url, '/sallyport/session', as(bearer))
    expect({ status, body: JSON.parse(await body()) }).toMatchObject({ status: 200, body: { subject: 'ana' } })
    expect(await send(world, sidecar, {})).toMatchObject({ status: 401 })
  })
})
