import type { Socket } from 'node:net'
import type { Refusal } from '../../../src/core/failure.ts'
import type { UpstreamCall } from '../../../src/http/upstream/connection.ts'

/** What became of a call. */
export interface Outcome {
  readonly status: number
  readonly headers: readonly string[]
  readonly body: string
  /** Why there is no answer, or not all of it. */
  readonly failed: string | undefined
}

/** What may be done to an answer under way. */
export interface AnswerControl {
  pause(): void
  resume(): void
  cancel(): void
}

export interface Asked {
  readonly outcome: Promise<Outcome>
  readonly control: AnswerControl
  /** Where the upstream agreed to a WebSocket. */
  readonly socket: Promise<Socket>
}

export type Asking = Partial<Pick<UpstreamCall, 'method' | 'path' | 'headers' | 'body' | 'bodyLength' | 'webSocket'>>

/** Sends a call, and tells what became of it. */
export function ask(
  send: (call: UpstreamCall) => AnswerControl,
  asking: Asking = {},
  onAnswer: (control: AnswerControl) => void = () => {},
): Asked {
  const { promise: outcome, resolve } = Promise.withResolvers<Outcome>()
  const { promise: socket, resolve: resolveSocket } = Promise.withResolvers<Socket>()
  const pieces: Buffer[] = []
  let status = 0
  let answered: readonly string[] = []
  let over = false
  const end = (failed?: string): void => {
    if (over) throw new Error('the call has ended twice')
    over = true
    resolve({ status, headers: answered, body: Buffer.concat(pieces).toString('latin1'), failed })
  }
  const control = send({
    method: 'GET',
    path: '/',
    headers: [],
    ownHeaders: '',
    body: undefined,
    bodyLength: undefined,
    webSocket: false,
    ...asking,
    onAnswer(head) {
      if (status !== 0) throw new Error('the call was answered twice')
      status = head.status
      answered = head.headers
      onAnswer(control)
    },
    onData: piece => void pieces.push(piece),
    onEnd: () => end(),
    onWebSocket: (given, headers) => {
      answered = headers
      resolveSocket(given)
    },
    onError: ({ failure }: Refusal) => end('reason' in failure ? failure.reason : failure.kind),
  })
  return { outcome, control, socket }
}
