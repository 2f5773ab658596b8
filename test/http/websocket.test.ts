import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from 'undici'
import { describe, expect, test, vi } from 'vitest'
import { startProxy } from '../support/proxy.ts'
import { HANDSHAKE, openRawWebSocket } from '../support/raw-websocket.ts'
import {
  CLOSE,
  frameOf,
  maskedFrameOf,
  PING,
  PONG,
  startWebSocketApp,
  TEXT,
  type WebSocketApp,
} from '../support/websocket-app.ts'

const AS_ANA = [...HANDSHAKE, 'Authorization: Bearer ana']

interface Client {
  readonly socket: WebSocket
  /** The next message. */
  next(): Promise<unknown>
  readonly closed: Promise<{ code: number; reason: string }>
}

async function open(url: string, path = '/chat', protocols: string[] = [], origin?: string): Promise<Client> {
  const headers = { authorization: 'Bearer ana', ...(origin === undefined ? {} : { origin }) }
  const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`, { headers, protocols })
  socket.binaryType = 'arraybuffer'
  const waiting: ((data: unknown) => void)[] = []
  const messages: unknown[] = []
  socket.addEventListener('message', ({ data }) => {
    const resolve = waiting.shift()
    if (resolve === undefined) messages.push(data)
    else resolve(data)
  })
  const closed = new Promise<{ code: number; reason: string }>(resolve => {
    socket.addEventListener('close', ({ code, reason }) => resolve({ code, reason }))
  })
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve())
    socket.addEventListener('error', ({ message }) => reject(new Error(message)))
  })
  const next = (): Promise<unknown> =>
    messages.length > 0 ? Promise.resolve(messages.shift()) : new Promise(resolve => waiting.push(resolve))
  return { socket, next, closed }
}

const only = (app: WebSocketApp): WebSocketApp['sockets'][number] => {
  const [socket] = app.sockets
  if (socket === undefined || app.sockets.length !== 1) throw new Error('not one socket')
  return socket
}

describe('what passes', () => {
  test('messages, text and binary, small and large, both ways', async () => {
    const { socket, next } = await open((await startProxy((await startWebSocketApp()).url)).url)
    for (const size of [0, 1, 125, 126, 65_535, 65_536, 3_000_000]) {
      const text = 'x'.repeat(size)
      socket.send(text)
      expect(await next()).toBe(text)
    }
    const bytes = randomBytes(100_000)
    socket.send(new Uint8Array(bytes))
    // undici compresses where the app agrees; this one does not, so a binary message comes back as it went.
    expect(Buffer.from((await next()) as ArrayBuffer).equals(bytes)).toBe(true)
  })

  test('the bytes of frames as they are: in pieces, compressed, of another kind', async () => {
    const app = await startWebSocketApp({
      headers: ['Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover'],
      onFrame: () => {},
    })
    const proxy = await startProxy(app.url)
    const asked = [...AS_ANA, 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-other']
    const { head, socket } = await openRawWebSocket(proxy.url, '/', asked)
    expect(only(app).request.headers['sec-websocket-extensions']).toBe(
      'permessage-deflate; client_max_window_bits, x-other',
    )
    expect(head).toMatch(/^sec-websocket-extensions: permessage-deflate; client_no_context_takeover\r?$/im)
    // A message in two frames, the first with the bit that says “compressed”, and a ping between them.
    const sent = Buffer.concat([
      Buffer.from([0x41, 3, 1, 2, 3]),
      frameOf(Buffer.from('?'), PING),
      Buffer.from([0x80, 126, 0, 200]),
      randomBytes(200),
    ])
    for (const byte of sent) only(app).stream.write(Buffer.from([byte]))
    const received: Buffer[] = []
    socket.on('data', (chunk: Buffer) => received.push(chunk)).resume()
    await vi.waitFor(() => expect(Buffer.concat(received).equals(sent)).toBe(true))
  })

  test('ping and pong, from either side', async () => {
    const app = await startWebSocketApp()
    const proxy = await startProxy(app.url)
    const { socket, read } = await openRawWebSocket(proxy.url, '/', AS_ANA)
    const { frames } = read()
    socket.write(maskedFrameOf(Buffer.from('there?'), PING))
    await vi.waitFor(() => expect(frames).toEqual([{ opcode: PONG, payload: Buffer.from('there?') }]))
    only(app).send('you?', PING)
    await vi.waitFor(() => expect(frames.at(-1)).toEqual({ opcode: PING, payload: Buffer.from('you?') }))
  })

  test('what the client sends before it has the answer', async () => {
    const app = await startWebSocketApp()
    const proxy = await startProxy(app.url)
    const early = maskedFrameOf(Buffer.from('early')).toString('latin1')
    const { hostname, port } = new URL(proxy.url)
    const raw = (await import('node:net')).connect(Number(port), hostname)
    raw.write(Buffer.from(`GET / HTTP/1.1\r\n${AS_ANA.join('\r\n')}\r\n\r\n${early}`, 'latin1'))
    await vi.waitFor(() => expect(app.sockets[0]?.frames).toEqual([{ opcode: TEXT, payload: Buffer.from('early') }]))
    raw.destroy()
  })

  test('of several subprotocols the one that the app takes', async () => {
    const app = await startWebSocketApp()
    const { socket } = await open((await startProxy(app.url)).url, '/', ['v1.chat', 'v2.chat', 'token-7f3a'])
    expect(only(app).request.headers['sec-websocket-protocol']).toBe('v1.chat, v2.chat, token-7f3a')
    expect(socket.protocol).toBe('token-7f3a')
  })

  test.for([
    '/chat?b=2&a=1&a=%20+%2B&&empty=&x[]=%5B',
    `/chat?q="<>{}^\`'|\\`,
    '/chat?%zz&%',
    '/chat?',
    '/chat??x=//../..',
    "/a-b_c.d~e/%C3%A9/!$&'()*+,=:@/[a]|b",
  ])('the target to the byte: %s', async target => {
    const app = await startWebSocketApp()
    const proxy = await startProxy(`${app.url}/base/`)
    const { status } = await openRawWebSocket(proxy.url, target, AS_ANA)
    expect({ status, url: only(app).request.url }).toEqual({ status: 101, url: `/base${target}` })
  })

  test('http fact 11: the headers are those that a plain request has, and those of the handshake', async () => {
    const app = await startWebSocketApp()
    const proxy = await startProxy(app.url)
    const headers = [
      'X-Request-Id: the-same-for-both',
      'Cookie: a=1; __Host-sallyport=s; sallyport-login=x; b=2',
      'Origin: https://app.example.com',
      'X-Forwarded-User: admin',
      'X_Forwarded_User: admin',
      'X-Forwarded-For: 6.6.6.6',
      'X-HTTP-Method-Override: DELETE',
      'Accept-Language: de',
      'X-Twice: 1',
      'X-Twice: 2',
    ]
    await openRawWebSocket(proxy.url, '/', [...AS_ANA, ...headers, 'Connection: x-forwarded-email'])
    await fetch(proxy.url, {
      headers: {
        ...Object.fromEntries(headers.map(line => line.split(': ') as [string, string])),
        authorization: 'Bearer ana',
      },
    })
    const linesOf = (raw: readonly string[]): string[] =>
      raw.flatMap((name, index) => (index % 2 === 0 ? [`${name.toLowerCase()}: ${raw[index + 1]}`] : []))
    const ofSocket = linesOf(only(app).request.rawHeaders)
    expect(ofSocket).toEqual([
      'host: app.example.com',
      'connection: upgrade',
      'upgrade: websocket',
      'sec-websocket-version: 13',
      'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
      'cookie: a=1; b=2',
      'origin: https://app.example.com',
      'accept-language: de',
      'x-twice: 1',
      'x-twice: 2',
      'x-forwarded-user: ana',
      'x-forwarded-email: ana@example.com',
      'x-forwarded-preferred-username: ana',
      'x-forwarded-groups: analytics',
      'x-sallyport-assertion: assertion',
      'x-request-id: the-same-for-both',
      'x-forwarded-for: 127.0.0.1',
      'x-forwarded-proto: https',
      'x-forwarded-host: app.example.com',
    ])
    const ofRequest = linesOf(app.plain[0]?.rawHeaders ?? [])
    const ours = (lines: readonly string[]): string[] =>
      lines.filter(line => /^(x-(forwarded|sall|req)|cookie)/.test(line))
    expect(ours(ofSocket)).toEqual(ours(ofRequest))
  })

  test('what the app answers with the agreement, less what it may not set', async () => {
    const app = await startWebSocketApp({
      headers: [
        'Set-Cookie: theme=dark',
        'Set-Cookie: __Host-sallyport=planted',
        'X-App: 1',
        'X-Request-Id: the-app-s',
      ],
    })
    const proxy = await startProxy(app.url)
    const { head } = await openRawWebSocket(proxy.url, '/', [...AS_ANA, 'X-Request-Id: of-this-request'])
    expect(head.match(/^(set-cookie|x-app|x-request-id|upgrade|connection): .*$/gim)?.toSorted()).toEqual([
      'Connection: Upgrade',
      'Upgrade: websocket',
      'set-cookie: theme=dark',
      'x-app: 1',
      'x-request-id: of-this-request',
    ])
  })

  test('over a unix socket as over a port', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'sallyport-socket-')), 'app.sock')
    const app = await startWebSocketApp({ path })
    const { socket, next } = await open((await startProxy(`unix://${path}`)).url, '/chat?x')
    socket.send('hello')
    expect(await next()).toBe('hello')
    expect(only(app).request).toMatchObject({ url: '/chat?x', headers: { 'x-forwarded-user': 'ana' } })
  })
})

describe('the end', () => {
  test('a close of the app reaches the client with its code and reason', async () => {
    const app = await startWebSocketApp()
    const { closed } = await open((await startProxy(app.url)).url)
    only(app).send(Buffer.concat([Buffer.from([4001 >> 8, 4001 & 0xff]), Buffer.from('enough')]), CLOSE)
    expect(await closed).toEqual({ code: 4001, reason: 'enough' })
    await only(app).closed
  })

  test('a close of the client reaches the app with its code and reason', async () => {
    const app = await startWebSocketApp()
    const proxy = await startProxy(app.url)
    const { socket, closed } = await open(proxy.url)
    socket.close(4002, 'bye')
    expect(await closed).toMatchObject({ code: 4002 })
    expect(only(app).frames).toEqual([
      { opcode: CLOSE, payload: Buffer.concat([Buffer.from([4002 >> 8, 4002 & 0xff]), Buffer.from('bye')]) },
    ])
    await only(app).closed
    await vi.waitFor(() => expect(proxy.watched()).toBe(0))
  })

  test('an app that dies is a connection that broke', async () => {
    const app = await startWebSocketApp()
    const { closed } = await open((await startProxy(app.url)).url)
    only(app).stream.destroy()
    expect(await closed).toMatchObject({ code: 1006 })
  })

  test('a client that goes away frees the app and who watches', async () => {
    const app = await startWebSocketApp()
    const proxy = await startProxy(app.url)
    const { socket } = await openRawWebSocket(proxy.url, '/', AS_ANA)
    expect(proxy.watched()).toBe(2)
    socket.resetAndDestroy()
    await only(app).closed
    await vi.waitFor(() => expect(proxy.watched()).toBe(0))
  })

  test('a session that ends closes the socket with 1008, on both sides', async () => {
    const app = await startWebSocketApp()
    const proxy = await startProxy(app.url)
    const { closed } = await open(proxy.url)
    proxy.endSessions()
    expect(await closed).toMatchObject({ code: 1008 })
    await only(app).closed
    expect(only(app).frames).toEqual([{ opcode: CLOSE, payload: Buffer.from([0x03, 0xf0]) }])
    await vi.waitFor(() => expect(proxy.watched()).toBe(0))
  })

  test('a process that stops closes the socket with 1001, on both sides', async () => {
    const app = await startWebSocketApp()
    const proxy = await startProxy(app.url)
    const { closed } = await open(proxy.url)
    proxy.stop()
    expect(await closed).toMatchObject({ code: 1001 })
    await only(app).closed
    expect(only(app).frames).toEqual([{ opcode: CLOSE, payload: Buffer.from([0x03, 0xe9]) }])
  })

  test('a socket that was asked for before the stop and is there after it is closed with 1001', async () => {
    const app = await startWebSocketApp()
    const held = Promise.withResolvers<void>()
    const waits = Promise.withResolvers<void>()
    const proxy = await startProxy(app.url, {
      hold() {
        waits.resolve()
        return held.promise
      },
    })
    const opening = openRawWebSocket(proxy.url, '/', AS_ANA)
    await waits.promise
    proxy.stop()
    held.resolve()
    const { status, read, socket } = await opening
    const { code, frames } = read()
    await vi.waitFor(() => expect(frames).toHaveLength(1))
    socket.end()
    expect({ status, code: await code }).toEqual({ status: 101, code: 1001 })
  })

  test('a client that does not answer the close is cut off', async () => {
    const proxy = await startProxy((await startWebSocketApp()).url)
    const { read } = await openRawWebSocket(proxy.url, '/', AS_ANA)
    const { code } = read()
    proxy.endSessions()
    expect(await code).toBe(1008)
  })

  test('the close comes behind the frame that had begun, and nothing comes behind the close', async () => {
    const app = await startWebSocketApp()
    const proxy = await startProxy(app.url)
    const { socket, read } = await openRawWebSocket(proxy.url, '/', AS_ANA)
    const { frames, code } = read()
    const [large, late] = [randomBytes(100_000), Buffer.from('late')]
    only(app).send('first')
    only(app).stream.write(frameOf(large).subarray(0, 40_000))
    await vi.waitFor(() => expect(frames).toHaveLength(1))
    proxy.endSessions()
    only(app).stream.write(Buffer.concat([frameOf(large).subarray(40_000), frameOf(late)]))
    await vi.waitFor(() => expect(frames).toHaveLength(3))
    expect(frames[1]?.payload.equals(large)).toBe(true)
    expect(frames[2]).toEqual({ opcode: CLOSE, payload: Buffer.from([0x03, 0xf0]) })
    socket.write(maskedFrameOf(Buffer.from([0x03, 0xf0]), CLOSE))
    expect(await code).toBe(1008)
    expect(frames).toHaveLength(3)
  })

  test('a frame of the client that had begun is not finished for the app', async () => {
    const app = await startWebSocketApp()
    const proxy = await startProxy(app.url)
    const { socket } = await openRawWebSocket(proxy.url, '/', AS_ANA)
    const frame = maskedFrameOf(Buffer.from('transfer everything'))
    socket.write(frame.subarray(0, 10))
    await once(only(app).stream, 'data')
    proxy.endSessions()
    socket.write(frame.subarray(10))
    await only(app).closed
    expect(only(app).frames).toEqual([])
  })
})

describe('the record', () => {
  test('an open socket is one request with 101, at once and for good', async () => {
    const app = await startWebSocketApp()
    const proxy = await startProxy(app.url)
    const { socket, closed } = await open(proxy.url, '/chat?secret')
    expect(proxy.ended.map(({ status, exchange }) => [status, exchange.route, exchange.target?.path])).toEqual([
      [101, 'app', '/chat'],
    ])
    expect(proxy.ended[0]?.exchange).toMatchObject({ method: 'GET', decision: 'allowed', identity: { subject: 'ana' } })
    expect(proxy.ended[0]?.exchange.upstreamMilliseconds).toBeGreaterThan(0)
    socket.close()
    await closed
    await only(app).closed
    expect(proxy.ended).toHaveLength(1)
  })
})

/** More than the buffers of two kernels and ours take together. */
const FLOOD_BYTES = 200_000_000
const CHUNK = Buffer.alloc(1_000_000)

describe('whoever does not read slows down who sends, and fills no memory here', () => {
  test('the client', async () => {
    const app = await startWebSocketApp()
    const proxy = await startProxy(app.url)
    await openRawWebSocket(proxy.url, '/', AS_ANA)
    const { stream } = only(app)
    expect(await flood(chunk => stream.write(frameOf(chunk)), stream)).toBeLessThan(30_000_000)
  })

  test('the app', async () => {
    const app = await startWebSocketApp()
    const proxy = await startProxy(app.url)
    const { socket } = await openRawWebSocket(proxy.url, '/', AS_ANA)
    only(app).stream.pause()
    expect(await flood(chunk => socket.write(maskedFrameOf(chunk)), socket)).toBeLessThan(30_000_000)
  })

  /** Sends until it is held up for good; gives how much was taken. */
  async function flood(
    write: (chunk: Buffer) => boolean,
    stream: { once(event: 'drain', listener: () => void): unknown },
  ): Promise<number> {
    let taken = 0
    while (taken < FLOOD_BYTES) {
      if (!write(CHUNK)) {
        const drained = await Promise.race([
          new Promise<boolean>(resolve => stream.once('drain', () => resolve(true))),
          new Promise<boolean>(resolve => setTimeout(() => resolve(false), 500)),
        ])
        if (!drained) return taken
      }
      taken += CHUNK.length
    }
    return taken
  }
})
