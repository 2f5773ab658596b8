import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { type Proxy, startProxy } from '../support/proxy.ts'
import { rawRequest, sendRaw } from '../support/raw-http.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'

/** A second or less, where people get a minute. */
const PATIENCE = { headers: 400, body: 400, form: 400, keepAlive: 400, check: 50 }

async function start(listener: Parameters<typeof startUpstream>[0] = (_request, response) => void response.end('ok')) {
  const upstream = await startUpstream(listener)
  onTestFinished(() => upstream.close())
  return { upstream, proxy: await startProxy(upstream.url, { patience: PATIENCE, publicPaths: true }) }
}

interface Slow {
  readonly socket: Socket
  read(): string
  readonly closed: Promise<unknown>
}

async function dial({ url }: Proxy | Upstream): Promise<Slow> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += chunk.toString())).on('error', () => {})
  onTestFinished(() => void socket.destroy())
  const closed = new Promise(resolve => socket.once('close', resolve))
  await once(socket, 'connect')
  return { socket, read: () => text, closed }
}

/** A byte now and then, for as long as somebody listens. */
function drip({ socket }: Slow, text: string): void {
  let at = 0
  const timer = setInterval(() => {
    if (socket.destroyed || at >= text.length) clearInterval(timer)
    else socket.write(text.charAt(at++))
  }, 100)
  onTestFinished(() => clearInterval(timer))
}

test('case 83: headers that come byte by byte are 408, and nothing goes upstream', async () => {
  const { upstream, proxy } = await start()
  const client = await dial(proxy)
  drip(client, `GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ${'x'.repeat(1000)}`)
  await client.closed
  expect(client.read()).toMatch(/^HTTP\/1\.1 408 /)
  expect(client.read()).toContain('urn:sallyport:problem:bad-request')
  expect(upstream.requests).toEqual([])
})

test('case 83: a connection that says nothing is closed', async () => {
  const { proxy } = await start()
  await (await dial(proxy)).closed
})

test('case 83: a connection that is kept and not used is closed', async () => {
  const { proxy } = await start()
  const client = await dial(proxy)
  client.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await client.closed
  expect(client.read()).toMatch(/^HTTP\/1\.1 200 [^]*ok$/)
})

test.for<[string, string, string]>([
  ['a length', 'Content-Length: 100', 'half'],
  ['chunks', 'Transfer-Encoding: chunked', '4\r\nhalf\r\n'],
])('case 83: a body of %s that stops coming is 408, and the app sees it cut', async ([, header, half]) => {
  let outcome = ''
  const { proxy } = await start(request => {
    request
      .on('end', () => (outcome = 'whole'))
      .on('error', () => (outcome = 'cut'))
      .resume()
  })
  const client = await dial(proxy)
  client.socket.write(`POST / HTTP/1.1\r\nHost: a\r\n${header}\r\n\r\n${half}`)
  await client.closed
  expect(client.read()).toMatch(/^HTTP\/1\.1 408 /)
  expect(client.read()).toMatch(/^connection: close\r?$/im)
  expect(client.read()).toContain('urn:sallyport:problem:bad-request')
  await vi.waitFor(() => expect(outcome).toBe('cut'))
  expect(proxy.ended.map(({ status }) => status)).toEqual([408])
})

test('case 83: a body that never begins is 408, and the app hears nothing', async () => {
  const { upstream, proxy } = await start()
  const client = await dial(proxy)
  client.socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n')
  await client.closed
  expect(client.read()).toMatch(/^HTTP\/1\.1 408 /)
  expect(upstream.requests).toEqual([])
})

test('case 83: a body that is slow and keeps coming arrives', async () => {
  let body = ''
  const { proxy } = await start((request, response) => {
    request.on('data', (chunk: Buffer) => (body += chunk.toString())).on('end', () => response.end('got it'))
  })
  const client = await dial(proxy)
  client.socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\nConnection: close\r\n\r\n')
  drip(client, 'dripping')
  await client.closed
  expect(client.read()).toContain('got it')
  expect(body).toBe('dripping')
})

test('case 83: an app that does not read is not the client’s fault', async () => {
  const { proxy } = await start((request, response) => {
    setTimeout(() => request.resume().on('end', () => response.end('got it')), 1000)
  })
  const body = Buffer.alloc(8_000_000)
  expect(await (await fetch(proxy.url, { method: 'POST', body })).text()).toBe('got it')
})

test('case 83: a body may pause for longer once the app has begun its answer', async () => {
  const { proxy } = await start((request, response) => {
    response.write('begun')
    request.on('end', () => response.end('.')).resume()
  })
  const client = await dial(proxy)
  client.socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nConnection: close\r\n\r\nha')
  await vi.waitFor(() => expect(client.read()).toContain('begun'))
  await new Promise(resolve => setTimeout(resolve, 900))
  client.socket.write('lf')
  await client.closed
  expect(client.read()).toMatch(/begun[^]*\.\r\n0\r\n\r\n$/)
})

test('case 83: a form for Sallyport’s own endpoints has to be here as a whole', async () => {
  const { proxy } = await start()
  const client = await dial(proxy)
  const headers = ['Host: a', 'Authorization: Bearer ana', 'Content-Length: 100']
  client.socket.write(`POST /sallyport/looker/token HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`)
  drip(client, 'x'.repeat(100))
  await client.closed
  expect(client.read()).toMatch(/^HTTP\/1\.1 408 /)
  expect(client.read()).toContain('urn:sallyport:problem:bad-request')
})

test('case 83: who leaves in the middle of a form is not waited for', async () => {
  let arrived = false
  const hold = async (): Promise<void> => void (arrived = true)
  const proxy = await startProxy('http://127.0.0.1:9', { patience: { ...PATIENCE, form: 60_000 }, hold })
  const client = await dial(proxy)
  const headers = ['Host: a', 'Authorization: Bearer ana', 'Content-Length: 100']
  client.socket.write(`POST /sallyport/looker/token HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\nhalf`)
  await vi.waitFor(() => expect(arrived).toBe(true))
  client.socket.destroy()
  await vi.waitFor(() =>
    expect(proxy.ended.map(({ status, exchange }) => [status, exchange.reason])).toEqual([[499, 'bad-request']]),
  )
})

test('case 83: a body behind a refusal is not read for ever', async () => {
  const { proxy } = await start()
  const client = await dial(proxy)
  client.socket.write('POST /sallyport/looker/token HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n')
  await vi.waitFor(() => expect(client.read()).toMatch(/^HTTP\/1\.1 401 /))
  drip(client, 'x'.repeat(1000))
  await client.closed
}, 15_000)

test('case 83: a client that does not read its answer is cut off, and the app with it', async () => {
  let gone = false
  const { proxy } = await start((_request, response) => {
    response.on('close', () => (gone = true))
    const more = (): void => {
      while (response.write(Buffer.alloc(1_000_000)));
      response.once('drain', more)
    }
    more()
  })
  const client = await dial(proxy)
  client.socket.pause().write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await vi.waitFor(() => expect(gone).toBe(true), 5000)
})

test('case 83: a client that asks for much and reads nothing is cut off, though every answer has ended', async () => {
  const { proxy } = await start((_request, response) => void response.end(Buffer.alloc(60_000)))
  const client = await dial(proxy)
  const times = 400
  client.socket.pause().write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(times))
  await vi.waitFor(() => expect(proxy.ended.length).toBeGreaterThan(0), 5000)
  // What is not read is in the buffers of both kernels; nothing moves any more.
  await new Promise(resolve => setTimeout(resolve, 1500))
  client.socket.resume()
  await client.closed
  expect(client.read().length).toBeLessThan(times * 60_000)
})

test('case 83: a client that reads slowly gets all of it', async () => {
  const { proxy } = await start((_request, response) => void response.end(Buffer.alloc(12_000_000)))
  const client = await dial(proxy)
  client.socket.pause().write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  const timer = setInterval(() => {
    client.socket.resume()
    setImmediate(() => client.socket.pause())
  }, 20)
  setTimeout(() => {
    clearInterval(timer)
    client.socket.resume()
  }, 1500)
  await client.closed
  expect(client.read().length).toBeGreaterThan(12_000_000)
})

test.for<[string, string]>([
  ['one that is too long', `X-Large: ${'x'.repeat(40_000)}`],
  ['too many', Array.from({ length: 5000 }, (_, index) => `X-${index}: x`).join('\r\n')],
])('case 83: headers, %s, are 431, and nothing goes upstream', async ([, headers]) => {
  const { upstream, proxy } = await start()
  const { status, body } = await sendRaw(proxy.url, rawRequest('GET /', ['Host: a', headers]))
  expect({ status, body }).toMatchObject({ status: 431, body: expect.stringContaining('too-large') })
  expect(upstream.requests).toEqual([])
})
