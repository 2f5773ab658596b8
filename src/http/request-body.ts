import type { IncomingMessage } from 'node:http'
import { PassThrough, Transform } from 'node:stream'
import { Refusal } from '../core/failure.ts'
import { bytesPassed } from './read-buffers.ts'

/** How long a body that nobody wants any more is still read: a client that is cut off while it sends may miss the answer. */
const LINGER_MILLISECONDS = 5000

export interface BodyLimits {
  readonly bytes: number
  /** How long the client may keep us waiting between two pieces. */
  readonly idleMilliseconds: number
}

/** RFC 9112 §6.3: a request has a body exactly where one of these headers says so. */
export function statesBody({ headers }: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': encoding } = headers
  return (length !== undefined && length !== '0') || encoding !== undefined
}

/**
 * A request's body as a stream of its own: undici destroys that of a call that fails, and with the request itself the
 * connection would stall, half read. It fails with `too-large` or `too-slow`.
 * @param isAnswered whoever is answered already may take their time: the body and the answer may be a conversation.
 * @throws {Refusal} `too-large` where the length that is stated is.
 */
export function limitedBody(request: IncomingMessage, limits: BodyLimits, isAnswered: () => boolean): Transform {
  const tooLarge = (): Refusal => new Refusal({ kind: 'too-large', limitBytes: limits.bytes })
  if (Number(request.headers['content-length'] ?? 0) > limits.bytes) throw tooLarge()
  let size = 0
  const body = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length
      waiting.refresh()
      bytesPassed(chunk.length)
      if (size > limits.bytes) done(tooLarge())
      else done(null, chunk)
    },
  })
  const waiting = setTimeout(() => {
    if (request.complete || request.destroyed) return
    // It may be that we are the ones who do not read: then the client is not to blame.
    if (body.writableNeedDrain || isAnswered()) waiting.refresh()
    else body.destroy(new Refusal({ kind: 'too-slow' }))
  }, limits.idleMilliseconds)
  body.once('close', () => clearTimeout(waiting)).on('error', heard)
  return request.pipe(body)
}

/** A short body, which has to be here as a whole within some time: how many bytes it has is for the reader to limit. */
export function limitedForm(request: IncomingMessage, milliseconds: number): PassThrough {
  const body = new PassThrough()
  const late = setTimeout(() => body.destroy(new Refusal({ kind: 'too-slow' })), milliseconds)
  const settled = (): void => clearTimeout(late)
  // Unpiped: the whole is here, or nobody wants the rest.
  body.once('unpipe', settled).once('close', settled).on('error', heard)
  return request.pipe(body)
}

/** Whoever reads the body hears of it too. Where nobody does any more, the error would end the process. */
function heard(): void {}

/** What nobody has read when the answer has ended: the next request on the connection is behind it. */
export function dropRest(request: IncomingMessage): void {
  if (request.readableEnded || request.destroyed || !statesBody(request)) return
  request.unpipe().resume()
  // Not until 'close': Node says that of a request as soon as it is answered.
  const late = setTimeout(() => request.socket.destroy(), LINGER_MILLISECONDS).unref()
  request.once('end', () => clearTimeout(late))
}
