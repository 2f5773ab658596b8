import { createHash, randomBytes } from 'node:crypto'
import { Agent, get } from 'node:http'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { rawRequest, sendRaw } from '../support/raw-http.ts'
import { startUpstream } from '../support/upstream.ts'
import { json, type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
let authorization: string
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.sidecar()
  authorization = `Bearer ${await world.issuer.sign({ sub: 'ana' })}`
})
afterAll(() => world.close())

interface Sent extends RequestInit {
  headers?: Record<string, string>
  duplex?: 'half'
}
const send = (path: string, init: Sent = {}): Promise<Response> =>
  sidecar.fetch(path, { ...init, headers: { authorization, ...init.headers } })

/** More than the 1 MiB at which Fastify would stop reading. */
const BYTES = randomBytes(1_500_000)
const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

test('an app that has many answers open is asked for the next one all the same', async () => {
  let open = 0
  const app = await startUpstream(({ url }, response) => {
    if (url !== '/open') {
      response.end('ok')
      return
    }
    open++
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
  })
  const one = await world.sidecar({ app: { url: app.url }, rules: [{ paths: ['/**'], access: 'public' }] })
  const agent = new Agent({ maxSockets: 600 })
  for (let stream = 0; stream < 600; stream++) get(`${one.url}/open`, { agent }).on('error', () => {})
  await vi.waitFor(() => expect(open).toBe(600), { timeout: 15_000 })
  const answer = await one.fetch('/next', { signal: AbortSignal.timeout(5000) })
  expect(await answer.text()).toBe('ok')
  agent.destroy()
  await app.close()
})

describe('the bytes of a body arrive as they were sent', () => {
  test.for([
    'application/json',
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'nonsense',
    '',
  ])('http fact 9: as “%s”', async type => {
    const answer = await json(send('/echo', { method: 'POST', body: BYTES, headers: { 'content-type': type } }))
    expect(answer['body']).toEqual({ length: BYTES.length, sha256: digestOf(BYTES) })
    expect(answer['headers']).toMatchObject({ 'content-length': String(BYTES.length) })
  })

  test.for(['POST', 'PUT', 'PATCH', 'DELETE'])('in chunks, with %s', async method => {
    const body = new Blob([BYTES]).stream()
    const answer = await json(send('/echo', { method, body, duplex: 'half' }))
    expect(answer).toMatchObject({
      method,
      body: { length: BYTES.length, sha256: digestOf(BYTES) },
      headers: { 'transfer-encoding': 'chunked' },
    })
  })

  test('a GET with a body is the app’s to judge', async () => {
    const request = rawRequest(
      'GET /echo',
      ['Host: a', `Authorization: ${authorization}`, 'Content-Length: 5'],
      'hello',
    )
    expect((await sendRaw(sidecar.url, request)).body).toContain(digestOf(Buffer.from('hello')))
  })

  test.for(['GET', 'HEAD', 'DELETE', 'POST'])('%s without a body has none upstream', async method => {
    await send('/echo', { method })
    expect(world.app.requests.at(-1)).toMatchObject({ method, url: '/echo' })
    expect(world.app.requests.at(-1)?.headers).not.toHaveProperty('transfer-encoding')
  })
})

test('http fact 12: a query arrives as it was sent, in its order and with its oddities', async () => {
  const query = '?b=2&a=1&a=%20+%2B&&empty=&x[]=%5B&utf=%E2%82%AC&nested[k]=v&%zz'
  expect((await json(send(`/echo${query}`)))['url']).toBe(`/echo${query}`)
})

test('a path before the app’s own is put before every request’s', async () => {
  const one = await world.sidecar({ app: { url: `${world.app.url}/base/` } })
  await one.fetch('/x?y', { headers: { authorization } })
  expect(world.app.requests.at(-1)?.url).toBe('/base/x?y')
})

test.for([200, 201, 301, 400, 404, 418, 500, 503])('a %i of the app arrives as it is, once', async status => {
  const before = world.app.requests.length
  const response = await send(`/status/${status}`)
  expect(response.status).toBe(status)
  expect(await response.text()).toBe(`${status}\n`)
  expect(world.app.requests.length).toBe(before + 1)
})

test.for([204, 304])('case 81: %i has no body and no framing of one', async status => {
  const request = rawRequest(`GET /status/${status}`, ['Host: a', `Authorization: ${authorization}`])
  const { status: got, head, body } = await sendRaw(sidecar.url, request)
  expect({ got, body }).toEqual({ got: status, body: '' })
  expect(head).not.toMatch(/^(transfer-encoding|content-length):/im)
})

test('case 81: HEAD has the headers of GET and no body', async () => {
  const request = rawRequest('HEAD /bytes/12345', ['Host: a', `Authorization: ${authorization}`])
  const { status, head, body } = await sendRaw(sidecar.url, request)
  expect({ status, body }).toEqual({ status: 200, body: '' })
  expect(head).toMatch(/^content-length: 12345\r?$/im)
})

test('a large answer arrives whole', async () => {
  const bytes = Buffer.from(await (await send('/bytes/5000000')).arrayBuffer())
  expect(bytes.length).toBe(5_000_000)
})

test('an answer streams: its first event is here before its last is made', async () => {
  const response = await send('/stream?seconds=600')
  const reader = response.body?.getReader()
  const first = await reader?.read()
  expect(Buffer.from(first?.value ?? []).toString()).toContain('"second":0')
  expect(world.app.requests.at(-1)?.outcome).toBe('pending')
  await reader?.cancel()
})

test('http fact 14: OPTIONS is the app’s where no CORS is configured', async () => {
  await send('/echo', { method: 'OPTIONS' })
  expect(world.app.requests.at(-1)).toMatchObject({ method: 'OPTIONS', url: '/echo' })
})
