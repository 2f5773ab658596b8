import type { IncomingMessage, ServerResponse } from 'node:http'
import { Transform } from 'node:stream'
import type { Dispatcher } from 'undici'
import { Refusal } from '../core/failure.ts'
import { responseHeaders } from './request-headers.ts'

/** How long a body that nobody wants any more is still read: a client that is cut off while it sends may miss the answer. */
const LINGER_MILLISECONDS = 5000

export interface StreamOptions {
  readonly dispatcher: Dispatcher
  readonly method: string
  readonly path: string
  readonly headers: string[]
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Headers (lower case) of ours that replace the upstream's, and the values to send. */
  readonly own: Readonly<Record<string, string>> | undefined
  readonly maxBodyBytes: number | undefined
  /** Called once, before anything is written to the response, or when there is nobody left to write to. */
  readonly takeOver: () => void
  /** Takes what is to be called when the response has closed, whether its end was sent or its reader went away. */
  readonly onClosed: (listener: () => void) => void
  /** Hears why an answer that had begun was cut short by the upstream. */
  readonly onCut: (refusal: Refusal) => void
}

/**
 * Sends a request on and its answer back, both as they stream. `done` is called once: when the answer has ended, or with
 * a `Refusal` where nothing was answered; an upstream that dies later leaves the client with an aborted body.
 * The client gone: the call is cancelled. Nothing is ever repeated.
 * @throws {Refusal} `too-large` where the length that is stated is.
 */
export function streamExchange(options: StreamOptions, done: (refusal?: Refusal) => void): void {
  const { request, response, own } = options
  let controller: Dispatcher.DispatchController | undefined
  let flowing = false

  const hasBody = statesBody(request)
  options.onClosed(() => {
    if (!response.writableFinished) controller?.abort(new Error('the client went away'))
    else if (hasBody && !request.readableEnded) dropRest(request)
  })
  options.dispatcher.dispatch(
    {
      method: options.method,
      path: options.path,
      headers: options.headers,
      body: hasBody ? bodyOf(request, options.maxBodyBytes ?? Number.POSITIVE_INFINITY) : null,
    },
    {
      onRequestStart(started) {
        controller = started
        if (response.destroyed) started.abort(new Error('the client went away'))
      },
      onResponseStart(_started, status, answered, statusText) {
        // Interim answers (1xx) concern the connection to the upstream.
        if (status < 200) return
        options.takeOver()
        // What an answer varies by is the app's to say too; the rest of ours takes the place of the app's.
        const setByUs = own === undefined ? undefined : new Set(Object.keys(own).filter(name => name !== 'vary'))
        const headers = responseHeaders(answered, setByUs)
        if (own !== undefined) for (const [name, value] of Object.entries(own)) headers.push(name, value)
        response.writeHead(status, statusText ?? '', headers)
        // An event stream, which has no length, opens before its first event; but a head whose body is at hand goes out
        // with it, in one write.
        if (answered['content-length'] === undefined) {
          process.nextTick(() => {
            if (!flowing) response.flushHeaders()
          })
        }
      },
      onResponseData(started, chunk) {
        flowing = true
        if (response.write(chunk)) return
        started.pause()
        response.once('drain', () => started.resume())
      },
      onResponseEnd() {
        flowing = true
        response.end()
        done()
      },
      onResponseError(_controller, error) {
        const refusal = error instanceof Refusal ? error : failureOf(error)
        if (response.headersSent || response.destroyed) {
          if (!response.headersSent) options.takeOver()
          else if (!response.destroyed) options.onCut(refusal)
          response.destroy()
          done()
          return
        }
        done(refusal)
      },
    },
  )
}

/** RFC 9112 §6.3: a request has a body exactly where one of these headers says so. */
function statesBody(request: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers
  return (length !== undefined && length !== '0') || encoding !== undefined
}

/**
 * The body as a stream of its own: undici destroys that of a call that fails, and with the request itself the connection
 * would stall, half read.
 * @throws {Refusal} `too-large` where the length that is stated is.
 */
function bodyOf(request: IncomingMessage, limitBytes: number): Transform {
  const tooLarge = new Refusal({ kind: 'too-large', limitBytes })
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) throw tooLarge
  let size = 0
  return request.pipe(
    new Transform({
      transform(chunk: Buffer, _encoding, done) {
        size += chunk.length
        if (size > limitBytes) done(tooLarge)
        else done(null, chunk)
      },
    }),
  )
}

/** The next request on the connection is behind what is left of this one. */
function dropRest(request: IncomingMessage): void {
  request.unpipe().resume()
  setTimeout(() => {
    if (!request.readableEnded) request.socket.destroy()
  }, LINGER_MILLISECONDS).unref()
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
