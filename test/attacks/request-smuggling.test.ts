import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { sendRaw } from '../support/raw-http.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
let upstream: Upstream
/** Targets of requests that the app got whole. */
let whole: string[]
beforeAll(async () => {
  world = await startWorld()
  upstream = await startUpstream((request, response) => {
    request.on('end', () => {
      whole.push(request.url ?? '')
      response.end('ok')
    })
    request.on('error', () => {}).resume()
  })
  sidecar = await world.sidecar({ app: { url: upstream.url }, rules: [{ paths: ['/**'], access: 'public' }] })
})
beforeEach(() => {
  whole = []
})
afterAll(async () => {
  await world.close()
  await upstream.close()
})

/** A request behind all others: what the app was to hear before it, it has heard. */
async function expectNothingUpstream(): Promise<void> {
  await sidecar.fetch('/behind')
  expect(whole).toEqual(['/behind'])
}

/** Behind every request: what must never be a request of its own, or the next person's beginning. */
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: a\r\nX-Rest: '

const headed = (...lines: string[]): string => ['POST /x HTTP/1.1', 'Host: a', ...lines].join('\r\n')

test.for([
  ['a length and chunks', headed('Content-Length: 3', 'Transfer-Encoding: chunked')],
  ['chunks and a length', headed('Transfer-Encoding: chunked', 'Content-Length: 3')],
  ['two lengths that differ', headed('Content-Length: 3', 'Content-Length: 30')],
  ['two lengths that do not', headed('Content-Length: 3', 'Content-Length: 3')],
  ['a list of lengths', headed('Content-Length: 3, 3')],
  ['a signed length', headed('Content-Length: +3')],
  ['a negative length', headed('Content-Length: -3')],
  ['a length in hex', headed('Content-Length: 0x3')],
  ['a length with a letter', headed('Content-Length: 3a')],
  ['a length with a space in it', headed('Content-Length: 3 0')],
  ['an empty length', headed('Content-Length:')],
  ['a length past all numbers', headed('Content-Length: 99999999999999999999')],
  ['another encoding', headed('Transfer-Encoding: identity')],
  ['an encoding of encodings', headed('Transfer-Encoding: gzip, chunked')],
  [
    'an encoding of encodings, and a path that is refused',
    headed('Transfer-Encoding: gzip, chunked').replace('/x', '//x'),
  ],
  [
    'an encoding of encodings, and a path that cannot be read',
    headed('Transfer-Encoding: gzip, chunked').replace('/x', '/%zz'),
  ],
  ['chunks twice', headed('Transfer-Encoding: chunked, chunked')],
  ['chunks not last', headed('Transfer-Encoding: chunked, identity')],
  ['chunks in two headers', headed('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')],
  ['chunks, then another encoding', headed('Transfer-Encoding: chunked', 'Transfer-Encoding: identity')],
  ['chunks with letters before', headed('Transfer-Encoding: xchunked')],
  ['chunks in quotes', headed('Transfer-Encoding: "chunked"')],
  ['chunks behind a comma', headed('Transfer-Encoding: ,chunked')],
  ['chunks with a control character', headed('Transfer-Encoding: \x0bchunked')],
  ['chunks with a parameter', headed('Transfer-Encoding: chunked;q=1')],
  ['an empty encoding and a length', headed('Transfer-Encoding:', 'Content-Length: 3')],
  ['a folded header', headed('X-Folded: a', ' b')],
  ['a folded encoding', headed('Transfer-Encoding:', ' chunked')],
  ['a header folded by a tab', headed('X-Folded: a', '\tb')],
  ['a first header that is folded', ['GET /x HTTP/1.1', ' Host: a', 'Host: a'].join('\r\n')],
  ['a bare CR in a value', headed('X-Bare: a\rb')],
  ['a bare CR that hides a header', headed('X-Bare: a\rTransfer-Encoding: chunked')],
  ['a bare LF in a value', headed('X-Bare: a\nTransfer-Encoding: chunked')],
  ['lines that end in LF', 'GET /x HTTP/1.1\nHost: a'],
  ['a request line that ends in LF', 'GET /x HTTP/1.1\nHost: a\r\nX-Other: 1'],
  ['a NUL in a value', headed('X-Nul: a\0b')],
  ['a NUL in a name', headed('X-N\0ul: a')],
  ['a NUL in the target', 'GET /x\0y HTTP/1.1\r\nHost: a'],
  ['a control character in a value', headed('X-Control: a\x01b')],
  ['a space before the colon', headed('X-Spaced : a')],
  ['a tab before the colon', headed('X-Spaced\t: a')],
  ['a space before the colon of the encoding', headed('Transfer-Encoding : chunked')],
  ['a space before the colon of the length', headed('Content-Length : 3')],
  ['a name with a space in it', headed('X Spaced: a')],
  ['a name in brackets', headed('(x): a')],
  ['no name', headed(': a')],
  ['a line without a colon', headed('nonsense')],
  ['a tab in the request line', 'GET\t/x\tHTTP/1.1\r\nHost: a'],
  ['something behind the version', 'GET /x HTTP/1.1 y\r\nHost: a'],
  ['another version', 'GET /x HTTP/2.0\r\nHost: a'],
  ['no such version', 'GET /x HTTP/1.9\r\nHost: a'],
  ['chunks in HTTP/1.0', 'POST /x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked'],
] as const)('case 71, http fact 15: %s is 400 and nothing goes upstream', async ([, head]) => {
  const {
    status,
    head: answered,
    body,
  } = await sendRaw(sidecar.url, Buffer.from(`${head}\r\n\r\n0\r\n\r\n${SMUGGLED}${head}\r\n\r\n`, 'latin1'))
  expect({ status, body }).toMatchObject({ status: 400, body: expect.stringContaining('problem:bad-request') })
  expect(`${answered}${body}`.match(/HTTP\/1\.1/g)).toHaveLength(1)
  await expectNothingUpstream()
})

test('case 71: a good request behind one that is refused is none, whatever it asks for', async () => {
  const good = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n'
  for (const encoding of ['identity', 'xchunked', 'chunked;q=1', '"chunked"']) {
    const { status, body } = await sendRaw(sidecar.url, `${headed(`Transfer-Encoding: ${encoding}`)}\r\n\r\n${good}`)
    expect([status, body.includes('HTTP/1.1')]).toEqual([400, false])
  }
  await expectNothingUpstream()
})

/** A head that is good, so the app hears of it; of a body that is not, it never sees the end. */
test.for([
  ['a size that is no number', 'z\r\nok\r\n0\r\n\r\n'],
  ['a size with a sign', '+2\r\nok\r\n0\r\n\r\n'],
  ['a size in C’s hex', '0x2\r\nok\r\n0\r\n\r\n'],
  ['a size with a space before', ' 2\r\nok\r\n0\r\n\r\n'],
  ['a size past all numbers', '10000000000000002\r\nok\r\n0\r\n\r\n'],
  ['a size that ends in LF', '2\nok\r\n0\r\n\r\n'],
  ['a size that ends in CR', '2\rok\r\n0\r\n\r\n'],
  ['a chunk longer than it says', '2\r\nokay\r\n0\r\n\r\n'],
  ['a chunk that ends in LF', '2\r\nok\n0\r\n\r\n'],
  ['an extension with a bare LF', '2;a=\n\r\nok\r\n0\r\n\r\n'],
  ['an extension with a bare CR', '2;a=\rb\r\nok\r\n0\r\n\r\n'],
  ['a last chunk that ends in LF', '2\r\nok\r\n0\n\n'],
  ['a trailer without a colon', '2\r\nok\r\n0\r\nnonsense\r\n\r\n'],
  ['a trailer with a bare CR', '2\r\nok\r\n0\r\nX: a\rb\r\n\r\n'],
] as const)(
  'case 71: chunks with %s are not a whole body, and nothing behind them is a request',
  async ([, chunks]) => {
    const { head, body } = await sendRaw(
      sidecar.url,
      `${headed('Transfer-Encoding: chunked')}\r\n\r\n${chunks}${SMUGGLED}`,
    )
    expect(`${head}${body}`).not.toContain('HTTP/1.1 200')
    expect(whole).toEqual([])
  },
)

test.for([
  ['in capitals', headed('TRANSFER-ENCODING: CHUNKED'), '2\r\nok\r\n0\r\n\r\n'],
  ['with space around', headed('Transfer-Encoding: \tchunked '), '2\r\nok\r\n0\r\n\r\n'],
  ['with an extension', headed('Transfer-Encoding: chunked'), '2;a=b;c="d"\r\nok\r\n0\r\n\r\n'],
  ['with zeros before the size', headed('Transfer-Encoding: chunked'), '0002\r\nok\r\n000\r\n\r\n'],
  ['with zeros before the length', headed('Content-Length: 002'), 'ok'],
] as const)('case 71: a body %s is read in one way, and the request behind it is the next', async ([, head, body]) => {
  const next = 'GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
  await sendRaw(sidecar.url, `${head}\r\n\r\n${body}${next}`)
  expect(whole.toSorted()).toEqual(['/next', '/x'])
})

test('case 71: an upstream hears of a length or of chunks, never of both', async () => {
  const bodies: [head: string, body: string][] = [
    [headed('Transfer-Encoding: chunked'), '2\r\nok\r\n0\r\n\r\n'],
    [headed('Content-Length: 2'), 'ok'],
    [headed('Content-Length: 0'), ''],
    [headed(), ''],
  ]
  for (const [head, body] of bodies) {
    await sendRaw(sidecar.url, `${head}\r\nConnection: close\r\n\r\n${body}`)
    const { headers } = upstream.requests.at(-1) ?? {}
    expect(['transfer-encoding', 'content-length'].filter(name => headers?.[name] !== undefined)).toHaveLength(1)
  }
})

test('case 71: nonsense behind a request is not answered in the middle of that one’s answer', async () => {
  const stream = await startUpstream((_request, response) => void response.write('the first half'))
  onTestFinished(() => stream.close())
  const streaming = await world.sidecar({ app: { url: stream.url }, rules: [{ paths: ['/**'], access: 'public' }] })
  const { hostname, port } = new URL(streaming.url)
  const socket = connect(Number(port), hostname)
  let read = ''
  socket.on('data', (chunk: Buffer) => (read += chunk.toString()))
  socket.write('GET /x HTTP/1.1\r\nHost: a\r\n\r\n')
  await vi.waitFor(() => expect(read).toContain('the first half'))
  socket.write('NONSENSE\r\n\r\n')
  await once(socket, 'close')
  expect(read.match(/HTTP\/1\.1/g)).toHaveLength(1)
})
