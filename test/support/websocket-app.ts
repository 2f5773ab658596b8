import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { onTestFinished } from 'vitest'

/** One socket as the app has it. */
export interface AppSocket {
  readonly request: IncomingMessage
  readonly stream: Duplex
  /** The frames that came, unmasked. */
  readonly frames: Frame[]
  /** Resolves when the connection is gone. */
  readonly closed: Promise<unknown>
  send(payload: string | Buffer, opcode?: number): boolean
}

export interface Frame {
  readonly opcode: number
  readonly payload: Buffer
}

export interface WebSocketApp {
  readonly url: string
  readonly sockets: readonly AppSocket[]
  /** Plain requests, by their targets. */
  readonly plain: readonly IncomingMessage[]
}

export const TEXT = 1
export const CLOSE = 8
export const PING = 9
export const PONG = 10

export interface WebSocketAppOptions {
  /** What is done with a frame; it is sent back. */
  onFrame?: (socket: AppSocket, frame: Frame) => void
  /** In the place of the handshake. */
  onUpgrade?: (request: IncomingMessage, stream: Duplex) => void
  /** More header lines of the 101. */
  headers?: readonly string[]
  /** Where to listen; a port of its own. */
  path?: string
}

/** An app that speaks WebSocket, plainly enough to see the frames. Of subprotocols it takes the last that is offered. */
export async function startWebSocketApp(options: WebSocketAppOptions = {}): Promise<WebSocketApp> {
  const sockets: AppSocket[] = []
  const plain: IncomingMessage[] = []
  const streams = new Set<Duplex>()
  const server = createServer((request, response) => {
    plain.push(request)
    response.end('plain')
  })
  server.on('upgrade', (request, stream) => {
    streams.add(stream)
    stream.on('error', () => {})
    stream.on('end', () => stream.end())
    if (options.onUpgrade !== undefined) return options.onUpgrade(request, stream)
    stream.write(`${acceptance(request, options.headers)}\r\n\r\n`)
    const socket = openSocket(request, stream)
    sockets.push(socket)
    readFrames(stream, frame => {
      socket.frames.push(frame)
      const onFrame = options.onFrame ?? echo
      onFrame(socket, frame)
    })
  })
  if (options.path === undefined) server.listen(0, '127.0.0.1')
  else server.listen(options.path)
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    for (const stream of streams) stream.destroy()
    server.closeAllConnections()
  })
  const address = server.address()
  const url = typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}` : `unix://${address}`
  return { url, sockets, plain }
}

/** Status line and headers of the answer that agrees. */
export function acceptance(request: IncomingMessage, headers: readonly string[] = []): string {
  const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
  const offered = request.headers['sec-websocket-protocol']?.split(',').at(-1)?.trim()
  return [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${createHash('sha1').update(key).digest('base64')}`,
    ...(offered === undefined ? [] : [`Sec-WebSocket-Protocol: ${offered}`]),
    ...headers,
  ].join('\r\n')
}

function echo(socket: AppSocket, { opcode, payload }: Frame): void {
  socket.send(payload, opcode === PING ? PONG : opcode)
  if (opcode === CLOSE) socket.stream.end()
}

function openSocket(request: IncomingMessage, stream: Duplex): AppSocket {
  return {
    request,
    stream,
    frames: [],
    closed: new Promise(resolve => stream.once('close', resolve)),
    send: (payload, opcode = TEXT) => stream.write(frameOf(Buffer.from(payload as string), opcode)),
  }
}

/** As a server sends it: whole and not masked. */
export function frameOf(payload: Buffer, opcode = TEXT): Buffer {
  const head =
    payload.length < 126
      ? Buffer.from([0x80 | opcode, payload.length])
      : payload.length < 65_536
        ? Buffer.from([0x80 | opcode, 126, payload.length >> 8, payload.length & 0xff])
        : Buffer.concat([Buffer.from([0x80 | opcode, 127]), lengthOf(payload.length)])
  return Buffer.concat([head, payload])
}

/** As a client sends it. */
export function maskedFrameOf(payload: Buffer, opcode = TEXT): Buffer {
  const frame = frameOf(payload, opcode)
  const head = frame.subarray(0, frame.length - payload.length)
  head[1] = (head[1] ?? 0) | 0x80
  const mask = Buffer.from([1, 2, 3, 4])
  return Buffer.concat([head, mask, payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0))])
}

/** Calls for each frame, whole. */
export function readFrames(stream: Duplex, onFrame: (frame: Frame) => void): void {
  let pending = Buffer.alloc(0)
  stream.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk])
    for (;;) {
      if (pending.length < 2) return
      const [first = 0, second = 0] = pending
      const short = second & 0x7f
      const masked = (second & 0x80) !== 0
      const lengthBytes = short === 127 ? 8 : short === 126 ? 2 : 0
      const start = 2 + lengthBytes + (masked ? 4 : 0)
      if (pending.length < start) return
      const length =
        short === 127 ? Number(pending.readBigUInt64BE(2)) : short === 126 ? pending.readUInt16BE(2) : short
      if (pending.length < start + length) return
      const mask = masked ? pending.subarray(start - 4, start) : undefined
      const body = pending.subarray(start, start + length)
      const payload = mask === undefined ? body : body.map((byte, index) => byte ^ (mask[index % 4] ?? 0))
      pending = pending.subarray(start + length)
      onFrame({ opcode: first & 0x0f, payload: Buffer.from(payload) })
    }
  })
}

function lengthOf(length: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(length))
  return bytes
}
