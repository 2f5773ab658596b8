import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Refusal } from '../core/failure.ts'
import { bytesPassed } from './read-buffers.ts'
import { limitedBody, statesBody } from './request-body.ts'
import { responseHeaders } from './request-headers.ts'
import { headerOf } from './upstream/answer-head.ts'
import type { Turn, Upstream } from './upstream/client.ts'
import type { BodySource } from './upstream/connection.ts'

export interface StreamOptions {
  readonly upstream: Upstream
  readonly method: string
  readonly path: string
  /** The client's. */
  readonly headers: readonly string[]
  /** Ours: whole lines. */
  readonly ownHeaders: string
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** The answer's; it takes the place of one that the upstream gives. */
  readonly requestId: string
  /** Headers (lower case) of ours that replace the upstream's, and the values to send. */
  readonly own: Readonly<Record<string, string>> | undefined
  readonly maxBodyBytes: number | undefined
  /** How long a client may keep us waiting for a piece of its body, or with a piece of the answer. */
  readonly idleMilliseconds: number
  /** Whether the connection is to end with this answer. */
  readonly stopping: () => boolean
  /** Calls the listener when an event stream is to end, since it has no end of its own. Returns what takes it back. */
  readonly onEnding: (listener: () => void) => () => void
  /** Called once, before anything is written to the response, or when there is nobody left to write to. */
  readonly takeOver: () => void
  /** Takes what is to be called when the response has closed, whether its end was sent or its reader went away. */
  readonly onClosed: (listener: () => void) => void
  /** Hears why an answer that had begun was cut short by the upstream. */
  readonly onCut: (refusal: Refusal) => void
  /** Asks for a WebSocket, and takes it over where the upstream agrees; undefined for a plain request. */
  readonly onWebSocket:
    | ((app: Socket, headers: readonly string[], done: (refusal?: Refusal) => void) => void)
    | undefined
}

/** Node throws at most of what is not ASCII in a reason phrase. */
const PRINTABLE = /^[\t\x20-\x7e]*$/
/** Whoever may read an answer across origins is said by `cors.origins`, and by nothing that the app says. */
const CORS_HEADERS: ReadonlySet<string> = new Set([
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-allow-methods',
  'access-control-allow-headers',
  'access-control-allow-private-network',
  'access-control-expose-headers',
  'access-control-max-age',
])

/**
 * Sends a request on and its answer back, both as they stream. `done` is called once: when the answer has ended, or with
 * a `Refusal` where nothing was answered; an upstream that dies later leaves the client with an aborted body.
 * The client gone: the call is cancelled. Nothing is ever repeated.
 * @throws {Refusal} `too-large` where the length that is stated is.
 */
export function streamExchange(options: StreamOptions, done: (refusal?: Refusal) => void): void {
  const { upstream, request, response, own, onWebSocket } = options
  let turn: Turn | undefined
  let flowing = false
  let stalled = false
  let patience: NodeJS.Timeout | undefined
  let stay: (() => void) | undefined
  let taken = false
  let lengthOfSmall = -1

  /** Nobody is left to read it, or nothing is left to be read. */
  const leave = (): void => {
    if (turn === undefined) return
    upstream.cancel(turn)
    turn = undefined
    if (!taken) options.takeOver()
    done()
  }
  options.onClosed(() => {
    clearTimeout(patience)
    stay?.()
    leave()
  })
  if (response.destroyed) {
    options.takeOver()
    done()
    return
  }
  const body = statesBody(request) ? bodyOf(options) : undefined
  turn = upstream.send({
    method: options.method,
    path: options.path,
    headers: options.headers,
    ownHeaders: options.ownHeaders,
    body,
    bodyLength: body === undefined ? undefined : lengthOf(request),
    webSocket: onWebSocket !== undefined,
    onAnswer(head) {
      options.takeOver()
      taken = true
      // What an answer varies by is the app's to say too.
      const headers = responseHeaders(head.headers, own === undefined ? undefined : CORS_HEADERS)
      headers.push('x-request-id', options.requestId)
      if (own !== undefined) for (const [name, value] of Object.entries(own)) headers.push(name, value)
      if (options.stopping()) response.shouldKeepAlive = false
      response.writeHead(head.status, PRINTABLE.test(head.reason) ? head.reason : '', headers)
      // A head whose body is at hand goes out with it, in one write.
      if (head.length !== undefined) {
        if (head.length < response.writableHighWaterMark) lengthOfSmall = head.length
        return
      }
      // An event stream opens before its first event. Its reader takes the end of any event for a good place to come again;
      // any other answer would be cut short unseen.
      process.nextTick(() => {
        if (!flowing) response.flushHeaders()
      })
      if (headerOf(head.headers, 'content-type')?.startsWith('text/event-stream') === true) {
        stay = options.onEnding(() => {
          response.end()
          leave()
        })
      }
    },
    onData(piece) {
      flowing = true
      bytesPassed(piece.length)
      // All of it is here: one call is cheaper than one to write and one to end.
      if (piece.length === lengthOfSmall) {
        response.end(piece)
        return
      }
      if (response.write(piece) || stalled) return
      if (turn !== undefined) upstream.pause(turn)
      stalled = true
      // Whoever asks for much and reads nothing would keep a connection of the app's for as long as they like.
      if (patience !== undefined) patience.refresh()
      else patience = setTimeout(() => stalled && cut(response), options.idleMilliseconds)
      response.once('drain', () => {
        stalled = false
        if (turn !== undefined) upstream.resume(turn)
      })
    },
    onEnd() {
      flowing = true
      turn = undefined
      response.end()
      done()
    },
    onWebSocket(socket, headers) {
      // What has become a socket is no call that could be cancelled.
      turn = undefined
      onWebSocket?.(socket, headers, done)
    },
    onError(refusal) {
      turn = undefined
      if (!taken && !response.destroyed) {
        done(refusal)
        return
      }
      if (!taken) options.takeOver()
      else if (!response.destroyed) options.onCut(refusal)
      cut(response)
      done()
    },
  })
}

/** An answer that stands in line behind another has no socket yet. Without this it would be sent as far as it got, and then nothing. */
function cut(response: ServerResponse): void {
  if (response.socket === null) response.once('socket', (socket: Socket) => socket.destroy())
  response.destroy()
}

function bodyOf({ request, response, maxBodyBytes, idleMilliseconds }: StreamOptions): BodySource {
  const limits = { bytes: maxBodyBytes ?? Number.POSITIVE_INFINITY, idleMilliseconds }
  return limitedBody(request, limits, () => response.headersSent)
}

/** Where it goes in chunks, it has none. */
function lengthOf({ headers }: IncomingMessage): number | undefined {
  const { 'content-length': length } = headers
  return length === undefined ? undefined : Number(length)
}
