import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'
import { Refusal } from '../core/failure.ts'
import { responseHeaders } from './request-headers.ts'

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
}

/**
 * Sends a request on and its answer back, both as they stream. Resolves when the answer has ended, rejects with a
 * `Refusal` only while nothing was answered; an upstream that dies later leaves the client with an aborted body.
 * The client gone: the call is cancelled. Nothing is ever repeated.
 */
export function streamExchange(options: StreamOptions): Promise<void> {
  const { request, response, own } = options
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined
    let refused: Refusal | undefined
    let flowing = false

    const body = bodyOf(request)
    if (body !== null && options.maxBodyBytes !== undefined) {
      limitBody(request, options.maxBodyBytes, refusal => {
        refused = refusal
        controller?.abort(refusal)
      })
    }
    options.onClosed(() => {
      if (!response.writableFinished) controller?.abort(new Error('the client went away'))
    })

    options.dispatcher.dispatch(
      { method: options.method, path: options.path, headers: options.headers, body },
      {
        onRequestStart(started) {
          controller = started
          if (refused !== undefined || response.destroyed) started.abort(refused ?? new Error('the client went away'))
        },
        onResponseStart(started, status, _headers, statusText) {
          // Interim answers (1xx) concern the connection to the upstream.
          if (status < 200) return
          options.takeOver()
          const setByUs = own === undefined ? undefined : new Set(Object.keys(own))
          const headers = responseHeaders(started.rawHeaders as Buffer[], setByUs)
          if (own !== undefined) for (const [name, value] of Object.entries(own)) headers.push(name, value)
          response.writeHead(status, statusText ?? '', headers)
          // An event stream opens before its first event; but a head whose body is at hand goes out with it, in one write.
          process.nextTick(() => {
            if (!flowing) response.flushHeaders()
          })
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
          resolve()
        },
        onResponseError(_controller, error) {
          if (response.headersSent || response.destroyed) {
            if (!response.headersSent) options.takeOver()
            response.destroy()
            resolve()
            return
          }
          reject(refused ?? failureOf(error))
        },
      },
    )
  })
}

/** RFC 9112 §6.3: a request has a body exactly where one of these headers says so. */
function bodyOf(request: IncomingMessage): IncomingMessage | null {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers
  return (length === undefined || length === '0') && encoding === undefined ? null : request
}

function limitBody(request: IncomingMessage, limitBytes: number, refuse: (refusal: Refusal) => void): void {
  const tooLarge = new Refusal({ kind: 'too-large', limitBytes })
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) {
    refuse(tooLarge)
    return
  }
  let size = 0
  request.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size > limitBytes) refuse(tooLarge)
  })
  // The listener must not start the flow before the upstream takes it.
  request.pause()
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
