import type { ServerResponse } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { rawRequest, sendRaw } from '../support/raw-http.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
let upstream: Upstream
let answer: (response: ServerResponse) => void = response => void response.end()
beforeAll(async () => {
  world = await startWorld()
  upstream = await startUpstream((_request, response) => answer(response))
  sidecar = await world.sidecar({ app: { url: upstream.url }, rules: [{ paths: ['/**'], access: 'public' }] })
})
afterAll(async () => {
  await world.close()
  await upstream.close()
})

test.for([
  'TE: trailers',
  'Trailer: X-Late',
  'Keep-Alive: timeout=5',
  'Keep-Alive:',
  'Proxy-Connection: keep-alive',
  'Proxy-Authorization: Basic c2VjcmV0',
  'Proxy-Authenticate: Basic',
  'Upgrade: h2c',
  'HTTP2-Settings: AAMAAABkAAQ',
  'Expect: 100-continue',
])('case 74, http fact 5, http fact 6: “%s” of the client stays on the client’s side', async header => {
  const { head, body } = await sendRaw(sidecar.url, rawRequest('GET /', ['Host: a', header]))
  expect(`${head}${body}`).toContain('HTTP/1.1 200 OK')
  expect(Object.keys(upstream.requests.at(-1)?.headers ?? {})).not.toContain(header.split(':')[0]?.toLowerCase())
})

test('case 79, http fact 5: “Connection: upgrade” with h2c does not become another protocol', async () => {
  const { head } = await sendRaw(
    sidecar.url,
    rawRequest('GET /', [
      'Host: a',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABkAAQ',
      'Connection: Upgrade, HTTP2-Settings',
    ]),
  )
  expect(head).toMatch(/^HTTP\/1\.1 200 /)
  expect(upstream.requests.at(-1)?.headers).not.toHaveProperty('upgrade')
})

test('case 74, http fact 6: what Connection names stays on the client’s side, and Host and the length do not', async () => {
  const request = rawRequest(
    'POST /',
    [
      'Host: a',
      'X-Mine: 1',
      'X-Kept: 2',
      'Connection: x-mine , host,Content-Length',
      'Connection: X-More',
      'X-More: 3',
      'Content-Length: 2',
    ],
    'ok',
  )
  await sendRaw(sidecar.url, request)
  const headers = upstream.requests.at(-1)?.headers
  expect(headers).toMatchObject({ 'x-kept': '2', host: 'a', 'content-length': '2' })
  expect(headers).not.toHaveProperty('x-mine')
  expect(headers).not.toHaveProperty('x-more')
})

test('case 74, http fact 6: what is for the upstream’s connection alone stays on its side', async () => {
  answer = response => {
    const headers = [
      ['Connection', 'x-hop, close'],
      ['Connection', 'X-Hop-Too'],
      ['X-Hop', 'leak'],
      ['x-hop-too', 'leak'],
      ['Keep-Alive', 'timeout=leak'],
      ['Proxy-Authenticate', 'Basic realm="leak"'],
      ['Proxy-Connection', 'leak'],
      ['Upgrade', 'leak'],
      ['TE', 'leak'],
      ['Trailer', 'leak'],
      ['X-Kept', 'one'],
      ['X-Kept', 'two'],
      ['Set-Cookie', 'a=1'],
      ['Set-Cookie', 'b=2'],
    ]
    response.writeHead(200, headers.flat())
    response.end('body')
  }
  const { head, body } = await sendRaw(sidecar.url, rawRequest('GET /', ['Host: a']))
  expect(head).not.toContain('leak')
  expect(head.match(/^(x-kept|set-cookie): .*$/gm)).toEqual([
    'x-kept: one',
    'x-kept: two',
    'set-cookie: a=1',
    'set-cookie: b=2',
  ])
  expect(head.match(/^(Date|Connection|Transfer-Encoding):/gim)).toHaveLength(3)
  expect(body).toContain('body')
})
