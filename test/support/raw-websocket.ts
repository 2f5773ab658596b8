import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { CLOSE, type Frame, readFrames } from './websocket-app.ts'

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
/** What a client asks with. */
export const HANDSHAKE = [
  'Host: app.example.com',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  `Sec-WebSocket-Key: ${KEY}`,
]

export interface RawWebSocket {
  readonly status: number
  /** Status line and headers. */
  readonly head: string
  readonly socket: Socket
  /** Resolves with the body of an answer that is no agreement, once the connection has ended. */
  body(): Promise<string>
  /** Frames from here on. Where the connection ends with a Close, its code; 1006 where it does not. */
  read(): { frames: Frame[]; code: Promise<number> }
}

/** Asks for a socket in exactly these words, and reads the head of the answer. */
export async function openRawWebSocket(
  origin: string,
  target: string,
  headers: readonly string[],
  method = 'GET',
): Promise<RawWebSocket> {
  const { hostname, port } = new URL(origin)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  socket.write(`${[`${method} ${target} HTTP/1.1`, ...headers].join('\r\n')}\r\n\r\n`)
  const head = await readHead(socket)
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0),
    head,
    socket,
    async body() {
      const chunks: Buffer[] = []
      socket.on('data', (chunk: Buffer) => chunks.push(chunk)).resume()
      if (!socket.destroyed) await once(socket, 'close')
      return Buffer.concat(chunks).toString()
    },
    read() {
      const frames: Frame[] = []
      readFrames(socket, frame => frames.push(frame))
      const code = once(socket, 'close').then(() => {
        const last = frames.at(-1)
        return last?.opcode === CLOSE && last.payload.length >= 2 ? last.payload.readUInt16BE(0) : 1006
      })
      socket.on('end', () => socket.end()).resume()
      return { frames, code }
    },
  }
}

function readHead(socket: Socket): Promise<string> {
  return new Promise(resolve => {
    let read = Buffer.alloc(0)
    const done = (end: number): void => {
      socket.off('data', onData).off('close', onClose).pause()
      if (read.length > end + 4) socket.unshift(read.subarray(end + 4))
      resolve(read.subarray(0, end).toString('latin1'))
    }
    const onData = (chunk: Buffer): void => {
      read = Buffer.concat([read, chunk])
      const end = read.indexOf('\r\n\r\n')
      if (end !== -1) done(end)
    }
    const onClose = (): void => resolve(read.toString('latin1'))
    socket.on('data', onData).on('close', onClose)
  })
}
