import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createUpstream, type Upstream } from '../../../src/http/upstream/client.ts'
import type { BodySink, BodySource, UpstreamCall } from '../../../src/http/upstream/connection.ts'
import { type AnswerControl, ask, type Asked, type Asking } from './calls.ts'

interface App {
  readonly upstream: Upstream
  /** In the order in which they came. */
  readonly sockets: readonly Socket[]
  /** What came on each of them. */
  readonly heard: string[]
  ask(asking?: Asking, onAnswer?: (control: AnswerControl) => void): Asked
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
/** Long enough for what is not to happen. */
const LONG = 100

const sendTo =
  (upstream: Upstream) =>
  (call: UpstreamCall): AnswerControl => {
    const turn = upstream.send(call)
    return {
      pause: () => upstream.pause(turn),
      resume: () => upstream.resume(turn),
      cancel: () => upstream.cancel(turn),
    }
  }

/** An app that says what the test says, each time that something comes. */
async function startApp(says: (text: string, socket: Socket) => string, answerMilliseconds = 400): Promise<App> {
  const sockets: Socket[] = []
  const heard: string[] = []
  const server = createServer(socket => {
    const index = sockets.push(socket) - 1
    heard.push('')
    socket.on('error', () => {})
    socket.on('data', (bytes: Buffer) => {
      const text = bytes.toString('latin1')
      heard[index] += text
      const answer = says(text, socket)
      if (answer !== '') socket.write(answer, 'latin1')
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const upstream = createUpstream({
    origin: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    connectMilliseconds: 400,
    answerMilliseconds,
  })
  onTestFinished(() => {
    upstream.destroy()
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return { upstream, sockets, heard, ask: (...asking) => ask(sendTo(upstream), ...asking) }
}

const pause = (milliseconds: number): Promise<void> => new Promise(resolve => setTimeout(resolve, milliseconds))

const bodyOf =
  (...pieces: string[]): BodySource =>
  sink => {
    setImmediate(() => {
      for (const piece of pieces) sink.write(Buffer.from(piece))
      sink.end()
    })
    return { resume() {}, stop() {} }
  }

describe('a connection', () => {
  test('carries one request after the other', async () => {
    const app = await startApp(() => OK)
    for (let turn = 0; turn < 5; turn++) expect(await app.ask().outcome).toMatchObject({ body: 'ok' })
    expect(app.sockets).toHaveLength(1)
  })

  test('is one for each request under way, and none waits for another', async () => {
    const app = await startApp(text => (text.includes('/slow') ? '' : OK))
    const slow = Array.from({ length: 20 }, () => app.ask({ path: '/slow' }))
    expect(await app.ask().outcome).toMatchObject({ body: 'ok' })
    await vi.waitFor(() => expect(app.sockets).toHaveLength(21))
    for (const { control } of slow) control.cancel()
  })

  test.for([
    ['the app says that it ends', 'HTTP/1.1 200 OK\r\nConnection: X, Close\r\nContent-Length: 2\r\n\r\nok'],
    ['the app waits for hardly any time', 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=2\r\nContent-Length: 2\r\n\r\nok'],
    ['the app speaks HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok'],
    ['an answer without a body announces one', 'HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n'],
    ['an answer without a body announces chunks', 'HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['there are bytes behind the answer', `${OK}more`],
    ['there is another answer behind it', `${OK}${OK}`],
  ] as const)('is not used again where %s', async ([, answer]) => {
    const app = await startApp(() => answer)
    for (let turn = 0; turn < 3; turn++) expect(await app.ask().outcome).toMatchObject({ failed: undefined })
    expect(app.sockets).toHaveLength(3)
  })

  test('case 71: ends with a HEAD, behind whose head an app may send a body all the same', async () => {
    const app = await startApp(() => OK)
    for (let turn = 0; turn < 2; turn++) expect(await app.ask({ method: 'HEAD' }).outcome).toMatchObject({ body: '' })
    expect(app.sockets).toHaveLength(2)
    expect(app.heard[0]).toContain('\r\nConnection: close\r\n')
  })

  test.for(['GET', 'DELETE', 'OPTIONS'])(
    'case 71: ends with a %s that has a body, which the app may take for the next request',
    async method => {
      const app = await startApp(() => OK)
      const asking = { method, headers: ['Content-Length', '2'], body: bodyOf('ab'), bodyLength: 2 }
      for (let turn = 0; turn < 2; turn++) expect(await app.ask(asking).outcome).toMatchObject({ body: 'ok' })
      expect(app.sockets).toHaveLength(2)
      expect(app.heard[0]).toContain('\r\nConnection: close\r\n')
    },
  )

  test('on which the app speaks before it was asked is of no use', async () => {
    const app = await startApp(() => OK)
    await app.ask().outcome
    const silent: BodySource = () => ({ resume() {}, stop() {} })
    const { outcome } = app.ask({ method: 'POST', body: silent })
    await pause(LONG)
    app.sockets[0]?.write('HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n')
    expect(await outcome).toMatchObject({ status: 0, failed: 'reset' })
  })

  test('of HTTP/1.0 is used again where the app says so', async () => {
    const app = await startApp(() => 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok')
    for (let turn = 0; turn < 3; turn++) expect(await app.ask().outcome).toMatchObject({ body: 'ok' })
    expect(app.sockets).toHaveLength(1)
  })

  test('case 71: on which something comes that nobody asked for is not used again', async () => {
    const app = await startApp(() => OK)
    await app.ask().outcome
    app.sockets[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nothers')
    await vi.waitFor(() => expect(app.sockets[0]?.destroyed).toBe(true))
    expect(await app.ask().outcome).toMatchObject({ body: 'ok' })
  })

  test('that the app has ended is not used again', async () => {
    const app = await startApp(() => OK)
    for (let turn = 0; turn < 20; turn++) {
      await app.ask().outcome
      const socket = app.sockets.at(-1)
      socket?.end()
      await vi.waitFor(() => expect(socket?.destroyed).toBe(true))
    }
    expect(await app.ask().outcome).toMatchObject({ body: 'ok' })
  })

  test('ends before the app ends it', async () => {
    const app = await startApp(() => 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=3, max=5\r\nContent-Length: 2\r\n\r\nok')
    await app.ask().outcome
    await vi.waitFor(() => expect(app.sockets[0]?.destroyed).toBe(true), { timeout: 2900 })
  })

  test('is not used again where the app answered before it had the whole request', async () => {
    const app = await startApp(() => OK)
    let sink: BodySink | undefined
    let stopped = false
    const body: BodySource = given => {
      sink = given
      return { resume() {}, stop: () => (stopped = true) }
    }
    const headers = ['Content-Length', '10']
    const { outcome } = app.ask({ method: 'POST', headers, body, bodyLength: 10 })
    await vi.waitFor(() => expect(sink).toBeDefined())
    sink?.write(Buffer.from('half'))
    expect(await outcome).toMatchObject({ body: 'ok' })
    expect(stopped).toBe(true)
    await app.ask().outcome
    expect(app.sockets).toHaveLength(2)
  })
})

describe('a request', () => {
  test('is sent as it is, with the host first', async () => {
    const app = await startApp(() => OK)
    await app.ask({ path: '/a?b=%zz', headers: ['X-One', '1', 'HOST', 'app.example.com', 'x-two', '\xe4'] }).outcome
    expect(app.heard[0]).toBe('GET /a?b=%zz HTTP/1.1\r\nHost: app.example.com\r\nX-One: 1\r\nx-two: \xe4\r\n\r\n')
  })

  test('that names no host gets the app’s, and a length where a server may insist on one', async () => {
    const app = await startApp(() => OK)
    await app.ask({ method: 'POST' }).outcome
    expect(app.heard[0]).toMatch(/^POST \/ HTTP\/1\.1\r\nHost: 127\.0\.0\.1:\d+\r\nContent-Length: 0\r\n\r\n$/)
  })

  test.for<[string, Asking]>([
    ['a line break in a value', { headers: ['X', 'a\r\nX-Forwarded-User: admin'] }],
    ['a bare LF in a value', { headers: ['X', 'a\nX-Forwarded-User: admin'] }],
    ['a NUL in a value', { headers: ['X', 'a\0'] }],
    ['what Latin-1 would cut to a line break', { headers: ['X', 'a\u010d\u010aX-Forwarded-User: admin'] }],
    ['a colon in a name', { headers: ['X: a\r\nY', 'b'] }],
    ['a space in the target', { path: '/ HTTP/1.1\r\nX: a' }],
    ['a line break in the method', { method: 'GET /\r\n' }],
  ])('that %s would make two of is not sent', async ([, asking]) => {
    const app = await startApp(() => OK)
    await app.ask().outcome
    expect(() => app.ask(asking)).toThrow('cannot be sent')
    await app.ask().outcome
    expect(app.sockets).toHaveLength(1)
  })

  test('of unknown length goes in chunks, and an empty piece is not the last', async () => {
    const app = await startApp(text => (text.endsWith('0\r\n\r\n') ? OK : ''))
    expect(await app.ask({ method: 'PUT', body: bodyOf('ab', '', 'c') }).outcome).toMatchObject({ body: 'ok' })
    expect(app.heard[0]).toMatch(/\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n$/)
    expect(await app.ask({ method: 'PUT', body: bodyOf() }).outcome).toMatchObject({ body: 'ok' })
  })

  test.for([['abc'], ['ab', 'c', 'd'], ['a']])('case 71: of another length than it says fails: %j', async pieces => {
    const app = await startApp(() => '')
    const headers = ['Content-Length', '2']
    const { outcome } = app.ask({ method: 'POST', headers, body: bodyOf(...pieces), bodyLength: 2 })
    expect(await outcome).toMatchObject({ status: 0, failed: 'reset' })
    expect(app.heard[0] ?? '').not.toContain('abc')
  })

  test('case 71: whose length and body disagree is not sent', async () => {
    const app = await startApp(() => OK)
    const headers = ['Content-Length', '2']
    expect(() => app.ask({ method: 'POST', headers, body: bodyOf('ab') })).toThrow('length')
    expect(() => app.ask({ method: 'POST', body: bodyOf('ab'), bodyLength: 2 })).toThrow('length')
  })

  test('has a deadline that begins when the app has all of it', async () => {
    const app = await startApp(text => (text.includes('end') ? OK : ''), 200)
    const body: BodySource = sink => {
      setImmediate(() => sink.write(Buffer.from('begin')))
      setTimeout(() => {
        sink.write(Buffer.from('end'))
        sink.end()
      }, 600)
      return { resume() {}, stop() {} }
    }
    expect(await app.ask({ method: 'POST', body }).outcome).toMatchObject({ body: 'ok' })
    expect(await app.ask({ path: '/never' }).outcome).toMatchObject({ failed: 'timeout' })
  })

  test('has more time with each interim answer', async () => {
    const app = await startApp((_text, socket) => {
      const timer = setInterval(() => socket.write('HTTP/1.1 102 Processing\r\n\r\n'), 50)
      setTimeout(() => {
        clearInterval(timer)
        socket.write(OK)
      }, 800)
      return ''
    }, 200)
    expect(await app.ask().outcome).toMatchObject({ body: 'ok' })
  })

  test('has a deadline where the app stops to read', async () => {
    const app = await startApp((_text, socket) => {
      socket.pause()
      return ''
    }, 200)
    const body: BodySource = sink => {
      const pour = (): void => {
        while (sink.write(Buffer.alloc(65_536)));
      }
      setImmediate(pour)
      return { resume: pour, stop() {} }
    }
    expect(await app.ask({ method: 'POST', body }).outcome).toMatchObject({ failed: 'timeout' })
  })

  test('to nobody fails with a reason', async () => {
    const upstream = createUpstream({
      origin: new URL('http://127.0.0.1:1'),
      connectMilliseconds: 400,
      answerMilliseconds: 400,
    })
    expect(await ask(sendTo(upstream)).outcome).toMatchObject({ status: 0, failed: 'unreachable' })
  })
})

describe('an answer', () => {
  test('that nobody wants any more ends its connection, and nobody hears of it', async () => {
    const app = await startApp(() => 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok')
    const { outcome, control } = app.ask()
    let heard = false
    void outcome.then(() => (heard = true))
    await vi.waitFor(() => expect(app.sockets).toHaveLength(1))
    control.cancel()
    await vi.waitFor(() => expect(app.sockets[0]?.destroyed).toBe(true))
    expect(heard).toBe(false)
  })

  test('that is over has no say in the next one', async () => {
    const app = await startApp(() => OK)
    const first = app.ask()
    await first.outcome
    const second = app.ask()
    first.control.pause()
    first.control.cancel()
    expect(await second.outcome).toMatchObject({ body: 'ok' })
    expect(app.sockets).toHaveLength(1)
  })

  test('comes no faster than it is read, and the next one is not held up', async () => {
    const size = 8 * 1024 * 1024
    const app = await startApp(() => `HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n${'x'.repeat(size)}`)
    const { outcome, control } = app.ask({}, answer => answer.pause())
    await vi.waitFor(() => expect(app.sockets).toHaveLength(1))
    await pause(LONG)
    expect(app.sockets[0]?.writableLength).toBeGreaterThan(0)
    control.resume()
    expect((await outcome).body).toHaveLength(size)
    control.pause()
    expect((await app.ask().outcome).body).toHaveLength(size)
  })

  test('that agrees to a WebSocket gives its connection away, with what came behind it', async () => {
    const agreed = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nfirst'
    const app = await startApp(text => (text.startsWith('GET') ? agreed : `${text} back`))
    const socket = await app.ask({ webSocket: true }).socket
    const pieces: string[] = []
    socket.on('data', (piece: Buffer) => pieces.push(piece.toString())).resume()
    await vi.waitFor(() => expect(pieces.join('')).toBe('first'))
    socket.write('there and')
    await vi.waitFor(() => expect(pieces.join('')).toBe('firstthere and back'))
    socket.destroy()
    expect(app.heard[0]).toContain('\r\nConnection: upgrade\r\nUpgrade: websocket\r\n')
  })

  test('is cut when the process ends', async () => {
    const app = await startApp(() => 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok')
    const { outcome } = app.ask()
    await vi.waitFor(() => expect(app.sockets).toHaveLength(1))
    app.upstream.destroy()
    expect(await outcome).toMatchObject({ failed: 'reset' })
  })
})
