import type { Socket } from 'node:net'
import { Refusal } from '../../core/failure.ts'
import { type AnswerHead, readAnswerHead } from './answer-head.ts'
import { type ChunkReader, createChunkReader } from './chunks.ts'
import { isLastRequest } from './request-head.ts'

/** One request, and who hears of its answer. Of `onEnd`, `onWebSocket` and `onError` one is called, once. */
export interface UpstreamCall {
  readonly method: string
  /** Path and query, as they are to be sent. */
  readonly path: string
  /** Name, value, name, value. Without a `Host` it gets the upstream's. Framing is the connection's to say. */
  readonly headers: readonly string[]
  /** Headers behind those: whole lines, whose maker has checked that nothing ends them early. */
  readonly ownHeaders: string
  readonly body: BodySource | undefined
  /** How long that is; undefined: it goes in chunks. */
  readonly bodyLength: number | undefined
  /** Whether to ask for a WebSocket. */
  readonly webSocket: boolean
  /** The final one: interim answers (1xx) concern the connection to the upstream. */
  onAnswer(head: AnswerHead): void
  onData(piece: Buffer): void
  onEnd(): void
  /** The upstream agreed, and the socket is the caller's from here on. It is paused. */
  onWebSocket(socket: Socket, headers: readonly string[]): void
  onError(refusal: Refusal): void
}

/** Begins to pour a body into the sink, not before the next tick. */
export type BodySource = (sink: BodySink) => BodyFlow

export interface BodySink {
  /** Returns false where nothing more is to come until `resume`. */
  write(piece: Buffer): boolean
  end(): void
  fail(refusal: Refusal): void
}

export interface BodyFlow {
  resume(): void
  /** No more of it is wanted. */
  stop(): void
}

export interface ConnectionOptions {
  /** A socket that connects, and the event that says it has. */
  readonly socket: Socket
  readonly connected: 'connect' | 'secureConnect'
  readonly connectMilliseconds: number
  /** How long the upstream may take to the first byte of its answer, from when it has all of the request. */
  readonly answerMilliseconds: number
  /** Sets, or with 0 takes back, when `expire` is to be called. */
  readonly due: (milliseconds: number) => void
  /** It can carry the next request. */
  readonly onIdle: () => void
  /** It never will again. */
  readonly onGone: () => void
}

/** A connection to the upstream. It carries one request at a time, and never one twice. */
export interface Connection {
  /** @param head of the request, as Latin-1. */
  send(head: string, call: UpstreamCall): void
  /** These three are without effect where it carries another call by now. */
  pause(call: UpstreamCall): void
  resume(call: UpstreamCall): void
  cancel(call: UpstreamCall): void
  /** What was to happen has not, in the time it had. */
  expire(): void
  destroy(): void
}

const MAX_HEAD_BYTES = 32_768
const HEAD_END = '\r\n\r\n'
const BEGINNING = 'HTTP/1.'

/** HTTP/1.1 as RFC 9112 has it. The way of every request leads through here: with undici it took 1.25 times as long (bench/README.md). */
export function createConnection(options: ConnectionOptions): Connection {
  const { socket, due } = options
  let call: UpstreamCall | undefined
  let flow: BodyFlow | undefined
  let connected = false
  /** Whether the upstream has heard of the call. */
  let asked = false
  /** The head of an answer, as far as it is here. */
  let partial: Buffer | undefined
  let head: AnswerHead | undefined
  let left = 0
  let chunks: ChunkReader | undefined

  const leave = (): UpstreamCall | undefined => {
    const ended = call
    call = undefined
    flow?.stop()
    flow = undefined
    due(0)
    return ended
  }
  /** At once: its 'close' may come after the next request. */
  const end = (): void => {
    options.onGone()
    socket.destroy()
  }
  const fail = (refusal: Refusal): void => {
    const failed = leave()
    end()
    failed?.onError(refusal)
  }
  const failBecause = (reason: 'timeout' | 'unreachable' | 'reset' | 'bad-answer', cause: unknown): void =>
    fail(new Refusal({ kind: 'app-unavailable', reason }, { cause }))

  const finish = (rest: number): void => {
    // An upstream that answers before it has the whole request would take what comes for the next one.
    const wasSending = flow !== undefined
    const idleMilliseconds = head?.idleMilliseconds ?? 0
    const ended = leave()
    head = undefined
    chunks = undefined
    if (rest > 0 || wasSending || idleMilliseconds === 0 || ended === undefined || isLastRequest(ended)) {
      end()
    } else {
      socket.resume()
      due(idleMilliseconds)
      options.onIdle()
    }
    ended?.onEnd()
  }

  const onPiece = (piece: Buffer): void => call?.onData(piece)

  const readBody = (bytes: Buffer, start: number): void => {
    if (chunks !== undefined) {
      const next = chunks.read(bytes, start, onPiece)
      if (next !== -1 && call !== undefined) finish(bytes.length - next)
      return
    }
    const next = Math.min(bytes.length, start + left)
    left -= next - start
    if (next > start) onPiece(start === 0 && next === bytes.length ? bytes : bytes.subarray(start, next))
    if (left === 0 && call !== undefined) finish(bytes.length - next)
  }

  const upgrade = (bytes: Buffer, start: number, { headers }: AnswerHead): void => {
    const upgraded = leave()
    socket.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose)
    socket.pause()
    options.onGone()
    if (start < bytes.length) socket.unshift(bytes.subarray(start))
    upgraded?.onWebSocket(socket, headers)
  }

  const readHead = (bytes: Buffer, method: string): void => {
    let start = 0
    for (;;) {
      const headEnd = bytes.indexOf(HEAD_END, start, 'latin1')
      if (headEnd === -1 || headEnd - start > MAX_HEAD_BYTES) {
        if (bytes.length - start > MAX_HEAD_BYTES) throw new Error('the head of the answer is too long')
        if (!BEGINNING.startsWith(bytes.toString('latin1', start, start + BEGINNING.length))) {
          throw new Error('the upstream does not speak HTTP/1')
        }
        partial = start === 0 ? bytes : bytes.subarray(start)
        return
      }
      const read = readAnswerHead(bytes.toString('latin1', start, headEnd + 2), method)
      start = headEnd + HEAD_END.length
      if (read.status === 101) {
        if (call?.webSocket !== true) throw new Error('an agreement that nobody asked for')
        upgrade(bytes, start, read)
        return
      }
      if (read.status >= 200) {
        begin(read, bytes, start)
        return
      }
      if (flow === undefined) due(options.answerMilliseconds)
    }
  }

  const begin = (read: AnswerHead, bytes: Buffer, start: number): void => {
    due(0)
    head = read
    chunks = read.chunked ? createChunkReader() : undefined
    left = read.length ?? Number.POSITIVE_INFINITY
    call?.onAnswer(read)
    if (left === 0 || start < bytes.length) readBody(bytes, start)
  }

  const onData = (bytes: Buffer): void => {
    if (call === undefined) {
      // Nobody has asked for anything: it would be the answer to whoever asks next.
      end()
      return
    }
    if (!asked) {
      failBecause('reset', new Error('the upstream spoke before it was asked'))
      return
    }
    try {
      if (head !== undefined) {
        readBody(bytes, 0)
        return
      }
      const all = partial === undefined ? bytes : Buffer.concat([partial, bytes])
      partial = undefined
      readHead(all, call.method)
    } catch (error) {
      failBecause('bad-answer', error)
    }
  }
  const onEnd = (): void => {
    if (head !== undefined && head.length === undefined && !head.chunked) finish(0)
    else failBecause(connected ? 'reset' : 'unreachable', new Error('the upstream ended the connection'))
  }
  const onError = (error: NodeJS.ErrnoException): void =>
    failBecause(error.code === 'ETIMEDOUT' ? 'timeout' : connected ? 'reset' : 'unreachable', error)
  const onClose = (): void => {
    options.onGone()
    if (call !== undefined) failBecause('reset', new Error('the connection is closed'))
  }

  /** The head goes out with the first piece: of a body that never begins the upstream hears nothing. */
  const sendBody = (text: string, source: BodySource, length: number | undefined): void => {
    let unsent = length ?? 0
    const begin = (): void => {
      if (asked) return
      asked = true
      socket.write(text, 'latin1')
    }
    const write = (piece: Buffer): boolean => {
      begin()
      if (length !== undefined) return socket.write(piece)
      socket.write(`${piece.length.toString(16)}\r\n`, 'latin1')
      socket.write(piece)
      return socket.write('\r\n', 'latin1')
    }
    flow = source({
      write(piece) {
        // An empty chunk would be the last one.
        if (piece.length === 0) return true
        unsent -= piece.length
        if (length !== undefined && unsent < 0) return failLength()
        socket.cork()
        const more = write(piece)
        socket.uncork()
        // Whose turn it is: the client's, who has limits of its own, or the upstream's.
        due(more ? 0 : answerDue())
        return more
      },
      end() {
        if (length !== undefined && unsent !== 0) {
          failLength()
          return
        }
        flow = undefined
        begin()
        if (length === undefined) socket.write('0\r\n\r\n', 'latin1')
        due(answerDue())
      },
      fail,
    })
  }
  const failLength = (): false => {
    failBecause('reset', new Error('the body is not as long as was said'))
    return false
  }
  const answerDue = (): number => (head === undefined ? options.answerMilliseconds : 0)

  const start = (text: string, { body, bodyLength }: UpstreamCall): void => {
    if (body === undefined) {
      due(options.answerMilliseconds)
      asked = true
      socket.write(text, 'latin1')
    } else {
      due(0)
      sendBody(text, body, bodyLength)
    }
  }

  socket
    .on('data', onData)
    .on('end', onEnd)
    .on('error', onError)
    .on('close', onClose)
    .on('drain', () => {
      if (flow === undefined) return
      due(0)
      flow.resume()
    })
    .once(options.connected, () => (connected = true))

  return {
    send(text, next) {
      call = next
      asked = false
      if (connected) {
        start(text, next)
      } else {
        due(options.connectMilliseconds)
        // Over TLS nothing is sent before it is known to whom.
        socket.once(options.connected, () => {
          if (call === next) start(text, next)
        })
      }
    },
    pause(paused) {
      if (call === paused) socket.pause()
    },
    resume(resumed) {
      if (call === resumed) socket.resume()
    },
    cancel(cancelled) {
      if (call !== cancelled) return
      leave()
      end()
    },
    expire() {
      if (call === undefined) end()
      else failBecause('timeout', new Error(connected ? 'no answer in time' : 'no connection in time'))
    },
    destroy: () => failBecause('reset', new Error('the process ends')),
  }
}
