import { once } from 'node:events'
import type { RequestListener, ServerResponse } from 'node:http'
import { createServer, connect } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { type Proxy, startProxy } from '../support/proxy.ts'
import { rawRequest, sendRaw } from '../support/raw-http.ts'
import { startUpstream } from '../support/upstream.ts'

async function before(listener: RequestListener): Promise<Proxy & { requests: readonly unknown[] }> {
  const upstream = await startUpstream(listener)
  onTestFinished(() => upstream.close())
  return { ...(await startProxy(upstream.url, { publicPaths: true })), requests: upstream.requests }
}

/** An app that answers with exactly these bytes. */
async function beforeBytes(bytes: string): Promise<Proxy> {
  const server = createServer(socket => {
    socket.on('error', () => {}).once('data', () => socket.write(bytes))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const address = server.address()
  return startProxy(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`, { publicPaths: true })
}

test('an event stream opens before its first event, and each event is here before the next is made', async () => {
  let send = (_text: string): void => {}
  const proxy = await before((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
    send = text => void response.write(text)
  })
  const response = await fetch(proxy.url)
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  const reader = response.body?.getReader()
  for (const event of ['data: 1\n\n', 'data: 2\n\n', ': \n\n']) {
    send(event)
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe(event)
  }
  await reader?.cancel()
})

test('bytes of a request are with the app before the next are sent, and its answer may come between them', async () => {
  const proxy = await before((request, response) => void request.pipe(response))
  const { hostname, port } = new URL(proxy.url)
  const socket = connect(Number(port), hostname)
  let read = ''
  socket.on('data', (chunk: Buffer) => (read += chunk.toString()))
  socket.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n')
  for (const word of ['one', 'two']) {
    socket.write(`3\r\n${word}\r\n`)
    await vi.waitFor(() => expect(read).toContain(word))
  }
  socket.write('0\r\n\r\n')
  await once(socket, 'close')
  expect(read).toMatch(/0\r\n\r\n$/)
})

test('interim answers of the app are not passed on, and the answer behind them is', async () => {
  const proxy = await beforeBytes(
    'HTTP/1.1 103 Early Hints\r\nLink: </x.css>; rel=preload\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n' +
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  )
  const { status, head, body } = await sendRaw(proxy.url, rawRequest('GET /', ['Host: a']))
  expect({ status, body }).toEqual({ status: 200, body: 'ok' })
  expect(head).not.toMatch(/early|processing|link:/i)
})

test('http fact 5: a client that waits to be told to go on is told so, and the app is not asked', async () => {
  const proxy = await before((request, response) => {
    response.end(String(request.headers.expect))
  })
  const request = rawRequest('POST /', ['Host: a', 'Expect: 100-continue', 'Content-Length: 2'], 'ok')
  const { head, body } = await sendRaw(proxy.url, request)
  expect(`${head}${body}`).toMatch(/^HTTP\/1\.1 100 Continue[^]*HTTP\/1\.1 200 OK[^]*undefined/)
})

test('an expectation that nobody has heard of is 417, and nothing goes upstream', async () => {
  const proxy = await before((_request, response) => void response.end())
  const { status } = await sendRaw(proxy.url, rawRequest('GET /', ['Host: a', 'Expect: the-unexpected']))
  expect({ status, asked: proxy.requests.length }).toEqual({ status: 417, asked: 0 })
})

test('trailers end at Sallyport, in both directions, and the bodies before them arrive', async () => {
  let got: unknown
  const proxy = await before((request, response) => {
    request.resume().on('end', () => {
      got = { trailers: request.trailers, named: request.headers.trailer }
      response.writeHead(200, { trailer: 'X-Sum', 'transfer-encoding': 'chunked' })
      response.write('body')
      response.addTrailers({ 'X-Sum': 'leak', 'Set-Cookie': 'sallyport=leak' })
      response.end()
    })
  })
  const chunks = '2\r\nok\r\n0\r\nX-Late: leak\r\nX-Forwarded-User: admin\r\n\r\n'
  const headers = ['Host: a', 'Trailer: X-Late', 'Transfer-Encoding: chunked']
  const { head, body } = await sendRaw(proxy.url, rawRequest('POST /', headers, chunks))
  expect(got).toEqual({ trailers: {}, named: undefined })
  expect(`${head}${body}`).not.toMatch(/leak|trailer/i)
  expect(body).toBe('4\r\nbody\r\n0\r\n\r\n')
})

test.for([
  ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', 200, '5'],
  ['HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', 200, undefined],
  ['HEAD', 'HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n', 404, '9'],
  ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', 204, undefined],
  ['GET', 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n', 304, undefined],
  ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n', 304, '100'],
  ['GET', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 200, '0'],
] as const)(
  'case 81: %s answered in head %# has no body, and the next answer is where it belongs',
  async ([method, bytes, status, length]) => {
    const proxy = await beforeBytes(bytes)
    const twice = `${method} / HTTP/1.1\r\nHost: a\r\n\r\n${rawRequest(`${method} /`, ['Host: a'])}`
    const { head, body } = await sendRaw(proxy.url, twice)
    const answers = `${head}\r\n\r\n${body}`.split('\r\n\r\n').filter(text => text !== '')
    expect(answers.map(text => Number(text.slice(9, 12)))).toEqual([status, status])
    for (const answer of answers) {
      expect(/^content-length: (\d+)\r?$/im.exec(answer)?.[1]).toBe(length)
      if (method === 'GET' && status !== 200) expect(answer).not.toMatch(/^transfer-encoding/im)
    }
  },
)

test('a reason phrase that Node would not send is left out, and the answer arrives', async () => {
  for (const phrase of ['не найдено', 'N\u00e3o encontrado', '未找到']) {
    const proxy = await beforeBytes(`HTTP/1.1 404 ${phrase}\r\nContent-Length: 4\r\n\r\nbody`)
    const response = await fetch(proxy.url)
    expect([response.status, await response.text()]).toEqual([404, 'body'])
  }
})

test('a body that ends with its connection is a whole one', async () => {
  const upstream = createServer(socket => {
    socket.on('error', () => {}).once('data', () => socket.end('HTTP/1.1 200 OK\r\nX-Old: 1\r\n\r\nto the end'))
  }).listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  onTestFinished(() => void upstream.close())
  const address = upstream.address()
  const proxy = await startProxy(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`, {
    publicPaths: true,
  })
  expect(await (await fetch(proxy.url)).text()).toBe('to the end')
})

test.for([
  [
    'a length and chunks',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  ],
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk'],
  ['a header with a bare CR', 'HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: sallyport=x\r\nContent-Length: 2\r\n\r\nok'],
  ['a header with a NUL', 'HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok'],
  ['a folded header', 'HTTP/1.1 200 OK\r\nX: a\r\n Set-Cookie: sallyport=x\r\nContent-Length: 2\r\n\r\nok'],
  [
    'an agreement that nobody asked for',
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n',
  ],
] as const)('case 71: an answer with %s is 502', async ([, bytes]) => {
  const proxy = await beforeBytes(bytes)
  const { status, body } = await sendRaw(proxy.url, rawRequest('GET /', ['Host: a']))
  expect({ status, body }).toMatchObject({ status: 502, body: expect.stringContaining('app-unavailable') })
})

test.for(['GET', 'PUT', 'DELETE', 'POST'])(
  'http fact 3: a %s that is answered 503 is asked once, however soon it may be repeated',
  async method => {
    const proxy = await before((_request, response) => void response.writeHead(503, { 'retry-after': '0' }).end('busy'))
    const response = await fetch(proxy.url, { method })
    expect([response.status, response.headers.get('retry-after'), await response.text()]).toEqual([503, '0', 'busy'])
    expect(proxy.requests).toHaveLength(1)
  },
)

test('the request id is on the app’s answers, and the app’s own is not', async () => {
  const proxy = await before((_request, response) => void response.setHeader('X-Request-ID', 'the-app-s').end())
  const { head } = await sendRaw(proxy.url, rawRequest('GET /', ['Host: a', 'X-Request-Id: of-this-request']))
  expect(head.match(/^x-request-id: .*$/gim)).toEqual(['x-request-id: of-this-request'])
})

test('an answer that goes out after the stop tells its connection to close, though its request came before', async () => {
  let answer = (): void => {}
  const proxy = await before((_request, response) => {
    answer = () => void response.end('late')
  })
  const { hostname, port } = new URL(proxy.url)
  const socket = connect(Number(port), hostname)
  let read = ''
  socket.on('data', (chunk: Buffer) => (read += chunk.toString()))
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await vi.waitFor(() => expect(proxy.requests).toHaveLength(1))
  proxy.stop()
  answer()
  await once(socket, 'close')
  expect(read).toMatch(/^connection: close\r?$/im)
  expect(read).toContain('late')
})

test('so does a refusal', async () => {
  const held = Promise.withResolvers<void>()
  const waits = Promise.withResolvers<void>()
  const proxy = await startProxy('http://127.0.0.1:9', {
    hold() {
      waits.resolve()
      return held.promise
    },
  })
  const { hostname, port } = new URL(proxy.url)
  const socket = connect(Number(port), hostname)
  let read = ''
  socket.on('data', (chunk: Buffer) => (read += chunk.toString()))
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer bad\r\n\r\n')
  await waits.promise
  proxy.stop()
  held.resolve()
  await once(socket, 'close')
  expect(read).toMatch(/^HTTP\/1\.1 401 /)
})

test('case 80: an answer that breaks off while it stands in line behind another ends the connection', async () => {
  const held = Promise.withResolvers<ServerResponse>()
  const begun = Promise.withResolvers<ServerResponse>()
  const proxy = await before((request, response) => {
    if (request.url === '/first') held.resolve(response)
    else {
      response.writeHead(200, { 'content-length': '100' }).write('the first half')
      begun.resolve(response)
    }
  })
  const { hostname, port } = new URL(proxy.url)
  const socket = connect(Number(port), hostname)
  let read = ''
  socket.on('data', (chunk: Buffer) => (read += chunk.toString()))
  socket.on('error', () => {})
  const closed = once(socket, 'close')
  socket.write('GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n')
  const [first, second] = await Promise.all([held.promise, begun.promise])
  await vi.waitFor(() => expect(second.writableNeedDrain || second.headersSent).toBe(true))
  second.destroy()
  await vi.waitFor(() => expect(proxy.reported).toHaveLength(1))
  first.end('first')
  await closed
  expect(read).toMatch(/^HTTP\/1\.1 200 /)
})

test('an answer in many small chunks waits for a slow reader once, not once for each chunk', async () => {
  const warnings: Error[] = []
  const heard = (warning: Error): unknown => warnings.push(warning)
  process.on('warning', heard)
  onTestFinished(() => void process.off('warning', heard))
  const piece = `400\r\n${'x'.repeat(1024)}\r\n`
  const proxy = await beforeBytes(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${piece.repeat(8192)}0\r\n\r\n`)
  const { hostname, port } = new URL(proxy.url)
  const socket = connect(Number(port), hostname).pause()
  let length = 0
  socket.on('data', (chunk: Buffer) => (length += chunk.length)).pause()
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  await new Promise(resolve => setTimeout(resolve, 300))
  socket.resume()
  await once(socket, 'close')
  expect(length).toBeGreaterThan(8192 * 1024)
  expect(warnings).toEqual([])
})
