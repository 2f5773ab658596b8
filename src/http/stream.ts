import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import { Refusal } from '../core/failure.ts'
import { bytesPassed } from './read-buffers.ts'
import { limitedBody, statesBody } from './request-body.ts'
import { responseHeaders } from './request-headers.ts'

export interface StreamOptions {
  readonly dispatcher: Dispatcher
  readonly method: string
  readonly path: string
  readonly headers: string[]
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
  readonly onWebSocket: ((upstream: Duplex, headers: Answered, done: (refusal?: Refusal) => void) => void) | undefined
}

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

export type Answered = Readonly<Record<string, string | string[] | undefined>>

/**
 * Sends a request on and its answer back, both as they stream. `done` is called once: when the answer has ended, or with
 * a `Refusal` where nothing was answered; an upstream that dies later leaves the client with an aborted body.
 * The client gone: the call is cancelled. Nothing is ever repeated.
 * @throws {Refusal} `too-large` where the length that is stated is.
 */
export function streamExchange(options: StreamOptions, done: (refusal?: Refusal) => void): void {
  const { request, response, own, onWebSocket } = options
  let controller: Dispatcher.DispatchController | undefined
  let flowing = false
  let stalled = false
  let patience: NodeJS.Timeout | undefined
  let stay: (() => void) | undefined
  let taken = false
  let over = false
  let lengthOfSmall = -1

  const hasBody = statesBody(request)
  options.onClosed(() => {
    clearTimeout(patience)
    stay?.()
    if (!response.writableFinished) controller?.abort(new Error('the client went away'))
  })
  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(started) {
      controller = started
      if (response.destroyed) started.abort(new Error('the client went away'))
    },
    onResponseStart(_started, status, answered, statusText) {
      // Interim answers (1xx) concern the connection to the upstream.
      if (status < 200) return
      options.takeOver()
      taken = true
      // What an answer varies by is the app's to say too.
      const headers = responseHeaders(answered, own === undefined ? undefined : CORS_HEADERS)
      headers.push('x-request-id', options.requestId)
      if (own !== undefined) for (const [name, value] of Object.entries(own)) headers.push(name, value)
      if (options.stopping()) response.shouldKeepAlive = false
      response.writeHead(status, reasonOf(statusText), headers)
      // Its reader takes the end of any event for a good place to come again; any other answer would be cut short unseen.
      if (isEventStream(answered)) {
        stay = options.onEnding(() => {
          over = true
          response.end()
          controller?.abort(new Error('the process ends'))
        })
      }
      // An event stream, which has no length, opens before its first event; but a head whose body is at hand goes out
      // with it, in one write.
      const length = answered['content-length']
      if (length === undefined) {
        process.nextTick(() => {
          if (!flowing) response.flushHeaders()
        })
      } else if (Number(length) < response.writableHighWaterMark) lengthOfSmall = Number(length)
    },
    onResponseData(started, chunk) {
      flowing = true
      bytesPassed(chunk.length)
      // All of it is here: one call is cheaper than one to write and one to end.
      if (chunk.length === lengthOfSmall) {
        response.end(chunk)
        return
      }
      if (response.write(chunk)) return
      started.pause()
      stalled = true
      // Whoever asks for much and reads nothing would keep a connection of the app's for as long as they like.
      if (patience !== undefined) patience.refresh()
      else patience = setTimeout(() => stalled && response.destroy(), options.idleMilliseconds)
      response.once('drain', () => {
        stalled = false
        started.resume()
      })
    },
    onResponseEnd() {
      flowing = true
      response.end()
      done()
    },
    onResponseError(_controller, error) {
      if (over) {
        done()
        return
      }
      const refusal = error instanceof Refusal ? error : failureOf(error)
      if (taken || response.destroyed) {
        if (!taken) options.takeOver()
        else if (!response.destroyed) options.onCut(refusal)
        response.destroy()
        done()
        return
      }
      done(refusal)
    },
  }
  if (onWebSocket !== undefined) {
    handler.onRequestUpgrade = (_controller, _status, answered, upstream) => {
      // What has become a socket is no call that could be cancelled.
      controller = undefined
      onWebSocket(upstream, answered, done)
    }
  }
  options.dispatcher.dispatch(
    {
      method: options.method,
      path: options.path,
      headers: options.headers,
      body: hasBody
        ? limitedBody(
            request,
            {
              bytes: options.maxBodyBytes ?? Number.POSITIVE_INFINITY,
              idleMilliseconds: options.idleMilliseconds,
            },
            () => response.headersSent,
          )
        : null,
      upgrade: onWebSocket === undefined ? null : 'websocket',
    },
    handler,
  )
}

/** RFC 9112 §4: it says nothing. undici reads it as UTF-8, so that other bytes are lost, and Node throws at most of what is not ASCII. */
function reasonOf(statusText: string | undefined): string {
  return statusText !== undefined && PRINTABLE.test(statusText) ? statusText : ''
}

function isEventStream({ 'content-type': type, 'content-length': length }: Answered): boolean {
  return length === undefined && String(type).startsWith('text/event-stream')
}

function failureOf(error: Error): Refusal {
  const code = String((error as NodeJS.ErrnoException).code)
  const reason = /TIMEOUT|ETIMEDOUT/.test(code)
    ? 'timeout'
    : /ECONNRESET|UND_ERR_SOCKET|EPIPE/.test(code)
      ? 'reset'
      : 'unreachable'
  return new Refusal({ kind: 'app-unavailable', reason }, { cause: error })
}
