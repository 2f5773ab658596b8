import type { IncomingMessage } from 'node:http'
import { Refusal } from '../core/failure.ts'
import { bytesPassed } from './read-buffers.ts'
import type { BodySource } from './upstream/connection.ts'

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
 * A request's body on its way to the upstream. It fails with `too-large` or `too-slow`; the request itself is never destroyed,
 * for it still has to be answered.
 * @param isAnswered whoever is answered already may take their time: the body and the answer may be a conversation.
 * @throws {Refusal} `too-large` where the length that is stated is.
 */
export function limitedBody(request: IncomingMessage, limits: BodyLimits, isAnswered: () => boolean): BodySource {
  refuseStatedLength(request, limits.bytes)
  return sink => {
    let size = 0
    let paused = false
    const onData = (chunk: Buffer): void => {
      size += chunk.length
      waiting.refresh()
      bytesPassed(chunk.length)
      if (size > limits.bytes) {
        sink.fail(tooLarge(limits.bytes))
      } else if (!sink.write(chunk)) {
        paused = true
        request.pause()
      }
    }
    const onEnd = (): void => {
      stop()
      sink.end()
    }
    const stop = (): void => {
      clearTimeout(waiting)
      request.off('data', onData).off('end', onEnd).pause()
    }
    const waiting = setTimeout(() => {
      // It may be that we are the ones who do not read: then the client is not to blame.
      if (paused || isAnswered()) waiting.refresh()
      else sink.fail(new Refusal({ kind: 'too-slow' }))
    }, limits.idleMilliseconds)
    request.on('data', onData).on('end', onEnd)
    return {
      resume() {
        paused = false
        request.resume()
      },
      stop,
    }
  }
}

/**
 * A short body as a whole. A request is not destroyed for it: it still has to be answered.
 * @param limits within `milliseconds` all of it has to be here
 * @throws {Refusal} `too-large`, `too-slow`, or `bad-request` where its sender left off.
 */
export function wholeBody(request: IncomingMessage, limits: { bytes: number; milliseconds: number }): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    refuseStatedLength(request, limits.bytes)
    const endsEarly = (): Refusal => new Refusal({ kind: 'bad-request', detail: 'the body ends early' })
    if (request.destroyed) throw endsEarly()
    const chunks: Buffer[] = []
    let size = 0
    const settle = (): void => {
      clearTimeout(late)
      request.off('data', onData).off('end', onEnd).off('close', onClose)
    }
    const fail = (refusal: Refusal): void => {
      settle()
      request.pause()
      reject(refusal)
    }
    const onData = (chunk: Buffer): void => {
      size += chunk.length
      if (size > limits.bytes) fail(tooLarge(limits.bytes))
      else chunks.push(chunk)
    }
    const onEnd = (): void => {
      settle()
      resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size))
    }
    const onClose = (): void => fail(endsEarly())
    const late = setTimeout(() => fail(new Refusal({ kind: 'too-slow' })), limits.milliseconds)
    request.on('data', onData).on('end', onEnd).on('close', onClose)
  })
}

function refuseStatedLength({ headers }: IncomingMessage, limitBytes: number): void {
  if (Number(headers['content-length'] ?? 0) > limitBytes) throw tooLarge(limitBytes)
}

function tooLarge(limitBytes: number): Refusal {
  return new Refusal({ kind: 'too-large', limitBytes })
}

/** What nobody has read when the answer has ended: the next request on the connection is behind it. */
export function dropRest(request: IncomingMessage): void {
  if (request.readableEnded || request.destroyed || !statesBody(request)) return
  request.resume()
  // Not until 'close': Node says that of a request as soon as it is answered.
  const late = setTimeout(() => request.socket.destroy(), LINGER_MILLISECONDS).unref()
  request.once('end', () => clearTimeout(late))
}
