import { once } from 'node:events'
import { request } from 'node:http'
import { Duplex } from 'node:stream'
import type { Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { createConnection } from '../../../src/http/upstream/connection.ts'
import { requestHead } from '../../../src/http/upstream/request-head.ts'
import { ask, type Outcome } from './calls.ts'

/** The far end of a connection: it says what the test says, in pieces. */
function createWire(): Duplex {
  return new Duplex({
    read() {},
    write: (_chunk, _encoding, done) => done(),
  })
}

type Pieces = readonly (string | undefined)[]

/** What is made of an answer whose bytes come in these pieces; `undefined` is the end of the connection. */
async function read(pieces: Pieces, method = 'GET'): Promise<Outcome> {
  return (await readSome(pieces, method)).outcome
}

/** So many pieces were needed. */
async function readSome(pieces: Pieces, method: string): Promise<{ outcome: Outcome; needed: number }> {
  const wire = createWire()
  const connection = createConnection({
    socket: wire as Socket,
    connected: 'connect',
    connectMilliseconds: 1000,
    answerMilliseconds: 1000,
    due() {},
    onIdle() {},
    onGone() {},
  })
  wire.emit('connect')
  const { outcome } = ask(
    call => {
      connection.send(requestHead(call, 'app'), call)
      return { pause: () => connection.pause(call), resume: () => connection.resume(call), cancel() {} }
    },
    { method },
  )
  let over = false
  void outcome.then(() => (over = true))
  let needed = 0
  for (const piece of pieces) {
    if (over) break
    needed++
    wire.push(piece === undefined ? null : Buffer.from(piece, 'latin1'))
    await new Promise(setImmediate)
  }
  return { outcome: await outcome, needed }
}

/** What Node's own client makes of it. */
async function readByNode(bytes: string, method: string): Promise<Outcome> {
  const wire = createWire()
  const asked = request({ createConnection: () => wire, method })
  asked.end()
  setImmediate(() => {
    wire.push(Buffer.from(bytes, 'latin1'))
    wire.push(null)
  })
  try {
    const [response] = (await once(asked, 'response')) as [import('node:http').IncomingMessage]
    const pieces: Buffer[] = []
    let failed: string | undefined
    try {
      for await (const piece of response) pieces.push(piece as Buffer)
    } catch (error) {
      failed = String(error)
    }
    const headers = response.rawHeaders.map((text, index) => (index % 2 === 0 ? text.toLowerCase() : text))
    return { status: response.statusCode ?? 0, headers, body: Buffer.concat(pieces).toString('latin1'), failed }
  } catch (error) {
    return { status: 0, headers: [], body: '', failed: String(error) }
  } finally {
    asked.on('error', () => {}).destroy()
    wire.destroy()
  }
}

const WHOLE: readonly (readonly [name: string, bytes: string, body: string])[] = [
  ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', 'hello'],
  ['no reason', 'HTTP/1.1 404\r\ncontent-length:5\r\n\r\nhello', 'hello'],
  ['spaces around values', 'HTTP/1.1 200 OK\r\nContent-Length: \t 5 \t\r\nX:\r\nY:  \r\n\r\nhello', 'hello'],
  ['chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nhe\r\n003\r\nllo\r\n0\r\n\r\n', 'hello'],
  [
    'chunks with extensions and trailers',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a="b"\r\nhe\r\n3\r\nllo\r\n0;last\r\nX-Sum: 1\r\nY:\r\n\r\n',
    'hello',
  ],
  [
    'line ends in its chunks',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n\r\n0\r\n\r\r\n1\r\n\n\r\n0\r\n\r\n',
    '\r\n0\r\n\r\n',
  ],
  [
    'interim answers before it',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    'ok',
  ],
  ['Latin-1 in a value', 'HTTP/1.1 200 OK\r\nX: \xe4\xa0\r\nContent-Length: 0\r\n\r\n', ''],
  ['the version before', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok', 'ok'],
]

describe('an answer', () => {
  test.for(WHOLE)('with %s is the same wherever its bytes are cut', async ([, bytes, body]) => {
    const whole = await read([bytes])
    expect(whole).toMatchObject({ body, failed: undefined })
    for (let at = 1; at < bytes.length; at++) {
      expect(await read([bytes.slice(0, at), bytes.slice(at)])).toEqual(whole)
    }
    expect(await read(bytes.split(''))).toEqual(whole)
  })

  test('without a length ends with its connection', async () => {
    const head = 'HTTP/1.1 200 OK\r\nX: 1\r\n\r\n'
    expect(await read([head, 'to ', 'the end', undefined])).toMatchObject({ body: 'to the end', failed: undefined })
    expect(await read([head, undefined])).toMatchObject({ body: '', failed: undefined })
  })

  test.for([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'],
    ['HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['HEAD', 'HTTP/1.1 200 OK\r\n\r\n'],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n'],
  ] as const)('to %s that has no body is over with its head: %j', async ([method, bytes]) => {
    expect(await read([bytes], method)).toMatchObject({ body: '', failed: undefined })
  })

  test('without content has no length of it', async () => {
    const { headers } = await read(['HTTP/1.1 204 No Content\r\nX: 1\r\nContent-Length: 5\r\n\r\n'])
    expect(headers).toEqual(['x', '1'])
  })

  const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
  test.for([
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell',
    `${chunked}5\r\nhello`,
    `${chunked}5\r\nhello\r\n`,
    `${chunked}5\r\nhello\r\n0\r\n`,
    'HTTP/1.1 200 OK\r\nContent-Le',
    'HTTP/1.1 100 Continue\r\n\r\n',
    '',
  ])('case 80: that breaks off is no whole one: %j', async bytes => {
    expect(await read([bytes, undefined])).toMatchObject({ failed: 'reset' })
  })
})

describe('case 71: what two readers could read in two ways is refused', () => {
  const ok = 'HTTP/1.1 200 OK\r\n'
  const body = '\r\n2\r\nok\r\n0\r\n\r\n'
  test.for([
    ['a bare LF for a line end', `HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n`],
    ['a bare LF in a header', `${ok}X: a\nY: b\r\nContent-Length: 0\r\n\r\n`],
    ['a bare CR in a header', `${ok}X: a\rY: b\r\nContent-Length: 0\r\n\r\n`],
    ['a NUL', `${ok}X: a\0\r\nContent-Length: 0\r\n\r\n`],
    ['a space before the colon', `${ok}Content-Length : 0\r\n\r\n`],
    ['a header that goes on in the next line', `${ok}X: a\r\n b: c\r\nContent-Length: 0\r\n\r\n`],
    ['a line without a colon', `${ok}nothing\r\nContent-Length: 0\r\n\r\n`],
    ['a header without a name', `${ok}: a\r\nContent-Length: 0\r\n\r\n`],
    ['two lengths', `${ok}Content-Length: 2\r\nContent-Length: 2\r\n\r\nok`],
    ['a list of lengths', `${ok}Content-Length: 2, 2\r\n\r\nok`],
    ['a length below zero', `${ok}Content-Length: -2\r\n\r\nok`],
    ['a length with a sign', `${ok}Content-Length: +2\r\n\r\nok`],
    ['a length in hexadecimal', `${ok}Content-Length: 0x2\r\n\r\nok`],
    ['no length where there should be one', `${ok}Content-Length:\r\n\r\nok`],
    ['a length that no number holds', `${ok}Content-Length: 9007199254740993\r\n\r\nok`],
    ['a length and chunks', `${ok}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n${body}`],
    ['a coding before the chunks', `${ok}Transfer-Encoding: gzip, chunked\r\n${body}`],
    ['a coding other than chunks', `${ok}Transfer-Encoding: identity\r\n${body}`],
    ['a tab beside the coding', `${ok}Transfer-Encoding: chunked\t\r\n${body}`],
    ['an interim answer of HTTP/1.0', `HTTP/1.0 100 Continue\r\n\r\n${ok}Content-Length: 0\r\n\r\n`],
    ['chunks twice', `${ok}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n${body}`],
    ['chunks in HTTP/1.0', `HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n${body}`],
    ['a chunk without a size', `${ok}Transfer-Encoding: chunked\r\n\r\n\r\nok\r\n0\r\n\r\n`],
    ['a size below zero', `${ok}Transfer-Encoding: chunked\r\n\r\n-2\r\nok\r\n0\r\n\r\n`],
    ['a size with a prefix', `${ok}Transfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n0\r\n\r\n`],
    ['a space behind the size', `${ok}Transfer-Encoding: chunked\r\n\r\n2 \r\nok\r\n0\r\n\r\n`],
    ['a size that no number holds', `${ok}Transfer-Encoding: chunked\r\n\r\n10000000000000000002\r\nok\r\n0\r\n\r\n`],
    ['a size line that a bare LF ends', `${ok}Transfer-Encoding: chunked\r\n\r\n2\nok\r\n0\r\n\r\n`],
    ['an extension that a bare LF ends', `${ok}Transfer-Encoding: chunked\r\n\r\n2;a\nok\r\n0\r\n\r\n`],
    ['a chunk longer than its size', `${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nokk\r\n0\r\n\r\n`],
    ['extensions without an end', `${ok}Transfer-Encoding: chunked\r\n\r\n2;${'a'.repeat(20_000)}`],
    ['trailers without an end', `${ok}Transfer-Encoding: chunked\r\n\r\n0\r\n${'a: b\r\n'.repeat(4000)}`],
    ['a head without an end', `${ok}${'a: b\r\n'.repeat(8000)}`],
    ['a head that is too long', `${ok}${'a: b\r\n'.repeat(8000)}\r\n`],
    ['another version', 'HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['another version, in other letters', 'http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n'],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n'],
    ['a status below 100', 'HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n'],
    ['a control character in the reason', 'HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n'],
    ['an agreement that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n'],
    ['something else than HTTP', 'SSH-2.0-OpenSSH_9.9\r\n'],
    ['a line before the status line', '\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
  ] as const)('%s', async ([, bytes]) => {
    expect(await read([bytes])).toMatchObject({ failed: 'bad-answer' })
  })
})

test('what is taken for an answer is the same answer to Node’s own reader, whatever bytes are changed', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  let state = seed
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff
    return (state >> 8) % below
  }
  const odd = [
    '\r',
    '\n',
    '\r\n',
    '\0',
    ' ',
    '\t',
    ':',
    ';',
    '0',
    'f',
    '-',
    ',',
    'chunked',
    '\x80',
    'Content-Length: 1\r\n',
  ]
  const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T
  let taken = 0
  for (let round = 0; round < 1500; round++) {
    let [, bytes] = pick(WHOLE)
    for (let change = random(3); change >= 0; change--) {
      const at = random(bytes.length)
      bytes = bytes.slice(0, at) + pick(odd) + bytes.slice(at + random(3))
    }
    const method = pick(['GET', 'HEAD'])
    const { outcome: ours, needed } = await readSome([...bytes.split(''), undefined], method)
    if (ours.failed !== undefined) continue
    taken++
    // Bytes behind it: Node gives up the answer, and we the connection.
    bytes = bytes.slice(0, needed)
    const theirs = await readByNode(bytes, method)
    expect({ ...theirs, bytes, seed }).toEqual({ ...ours, bytes, seed })
  }
  expect(taken).toBeGreaterThan(50)
})
