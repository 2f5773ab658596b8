import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Refusal } from '../core/failure.ts'
import { bytesPassed } from './read-buffers.ts'
import { headerOf } from './upstream/answer-head.ts'
import { asksForWebSocket, endSoon, LINGER_MILLISECONDS, release } from './upgrades.ts'
import { closeFrame, createFrameFollower, type FrameFollower } from './websocket-frames.ts'

/** RFC 6455 §7.4.1, as the reason why Sallyport ends a socket: the process stops, or whoever opened it may no longer. */
export const GOING_AWAY = 1001
export const NO_LONGER_ALLOWED = 1008

/** TCP asks a silent peer whether it is there: sockets may be silent for hours, and peers go without a word. */
const KEEP_ALIVE_MILLISECONDS = 30_000

/**
 * RFC 6455 §4.2.1: the handshake is whole, and its version the one there is. The app would say so itself, but only an app
 * that speaks WebSocket; another may answer anything.
 * @throws {Refusal} `bad-request`
 */
export function readWebSocketKey(request: IncomingMessage): string {
  const { headers } = request
  const key = headers['sec-websocket-key']
  // Node before 24.9 takes every upgrade for one of ours.
  if (!asksForWebSocket(request)) throw new Refusal({ kind: 'bad-request', detail: 'the only upgrade is to WebSocket' })
  if (key === undefined || !/^[A-Za-z0-9+/]{22}==$/.test(key) || headers['sec-websocket-version'] !== '13') {
    throw new Refusal({ kind: 'bad-request', detail: 'this is no WebSocket handshake of version 13' })
  }
  return key
}

export interface JoinOptions {
  readonly key: string
  readonly response: ServerResponse
  /** The app's side, after its 101, and the headers of that. */
  readonly app: Duplex
  readonly answered: readonly string[]
  /** Name, value, name, value: what of them the client gets. */
  readonly headers: string[]
  /** Called once before anything is written, and not where it is refused. */
  readonly takeOver: () => void
  /** Takes what ends the socket with a code; gives what is to be called when it is over. */
  readonly watch: (end: (code: number) => void) => () => void
}

/**
 * Answers the client as the app did, and joins the two. From here on bytes pass as they are: messages of any size, in
 * pieces of any size, compressed or not, pings and pongs. Whoever reads slowly slows down the other side.
 * @returns why not: an app that answers 101 to what it did not understand would open the way for requests that nobody judges.
 */
export function joinWebSocket(options: JoinOptions): Refusal | undefined {
  const { key, response, app, answered } = options
  app.on('error', () => app.destroy())
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  if (
    headerOf(answered, 'sec-websocket-accept') !== accept ||
    headerOf(answered, 'upgrade')?.toLowerCase() !== 'websocket'
  ) {
    app.destroy()
    const cause = new Error('the app answered 101 to another handshake')
    return new Refusal({ kind: 'app-unavailable', reason: 'bad-answer' }, { cause })
  }
  const client = response.socket
  options.takeOver()
  if (client === null || client.destroyed) {
    app.destroy()
    return undefined
  }
  response.writeHead(101, [...options.headers, 'Connection', 'Upgrade', 'Upgrade', 'websocket'])
  response.flushHeaders()
  // What HTTP has to say of this request has been said: it is recorded now and not in some hours.
  release(response, client)
  client.setKeepAlive(true, KEEP_ALIVE_MILLISECONDS)
  client.setNoDelay(true)
  const unwatch = options.watch(join(client, app))
  client.once('close', unwatch)
  return undefined
}

/** @returns what ends both sides with a code, between two frames. */
function join(client: Socket, app: Duplex): (code: number) => void {
  const toClient = createFrameFollower()
  const toApp = createFrameFollower()
  let code: number | undefined

  const tellClient = (): void => {
    if (code !== undefined && !toClient.closed()) client.write(closeFrame(code, false))
  }
  const fromApp = (chunk: Buffer): void => {
    bytesPassed(chunk.length)
    if (code === undefined) {
      toClient.follow(chunk)
      if (!client.write(chunk)) app.pause()
    } else if (!toClient.between()) {
      // The frame that has begun is sent whole, so that the Close behind it can be read.
      client.write(chunk.subarray(0, toClient.follow(chunk, true)))
      if (toClient.between()) tellClient()
    }
  }
  const fromClient = (chunk: Buffer): void => {
    bytesPassed(chunk.length)
    toApp.follow(chunk)
    if (code === undefined) {
      if (!app.write(chunk)) client.pause()
    } else if (toApp.closed()) {
      endSoon(client)
    }
  }
  const endClient = (): void => {
    // Where the end is ours, the client is to have the Close first.
    if (code === undefined) endSoon(client)
  }
  const clientEnded = (): void => {
    endSoon(app)
    if (code !== undefined) endSoon(client)
  }
  const leaveApp = (): void => endSoon(app.off('data', fromApp))
  app.on('data', fromApp).once('end', endClient).once('close', endClient).resume()
  client.on('data', fromClient).once('end', clientEnded).once('close', leaveApp)
  client.on('drain', () => app.resume())
  app.on('drain', () => client.resume())

  return wanted => {
    if (code !== undefined) return
    code = wanted
    client.resume()
    app.resume()
    if (toClient.between()) tellClient()
    endApp(app, toApp, code)
    if (client.readableEnded) endSoon(client)
    else setTimeout(() => client.destroy(), LINGER_MILLISECONDS).unref()
  }
}

function endApp(app: Duplex, toApp: FrameFollower, code: number): void {
  // A frame that was cut in two cannot be closed behind: the app sees a connection that broke, which it is.
  if (toApp.between() && !toApp.closed()) app.write(closeFrame(code, true))
  app.end()
  setTimeout(() => app.destroy(), LINGER_MILLISECONDS).unref()
}
