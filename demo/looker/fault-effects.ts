import { Readable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import type { FastifyReply } from 'fastify'
import { LookerFailure, unauthenticated } from './failure.ts'
import { type FaultSource, isBodyFault, isDelay, isRefusal } from './faults.ts'

// A fault must not keep a process alive that is done with everything else.
const pause = (milliseconds: number) => setTimeout(milliseconds, undefined, { ref: false })

/** What goes wrong before the operation runs. True when the reply has been dealt with, or never will be. */
export async function disturb(faults: FaultSource, operation: string, reply: FastifyReply): Promise<boolean> {
  const delay = faults.take(operation, isDelay)
  if (delay !== undefined) await pause(delay.milliseconds)
  const fault = faults.take(operation, isRefusal)
  if (fault === undefined) return false
  switch (fault.kind) {
    case 'too-many-requests':
      throw new LookerFailure(429, 'Too Many Requests', {
        headers: { 'retry-after': String(fault.retryAfterSeconds ?? 1) },
      })
    case 'server-error':
      throw new LookerFailure(fault.status ?? 500, 'An error has occurred.')
    case 'unauthorized':
      throw unauthenticated()
    case 'reset': {
      reply.hijack()
      const { socket } = reply.raw
      // A TLS socket cannot send the reset itself; its peer sees the connection end in the middle.
      if (socket !== null && 'encrypted' in socket) socket.destroy()
      else socket?.resetAndDestroy()
      return true
    }
    case 'hang':
      reply.hijack()
      return true
    case 'answer':
      await reply
        .code(fault.status)
        .headers({ 'content-type': 'application/json; charset=utf-8', ...fault.headers })
        .send(fault.body)
      return true
    default:
      return fault satisfies never
  }
}

/** The body as the network spoils it, or as it was. */
export function spoil(faults: FaultSource, operation: string, payload: unknown): unknown {
  const fault = faults.take(operation, isBodyFault)
  if (fault === undefined || !(payload instanceof Readable || typeof payload === 'string')) return payload
  const source = payload instanceof Readable ? payload : Readable.from([Buffer.from(payload)])
  return fault.kind === 'cut'
    ? Readable.from(cut(source, fault.afterBytes), { objectMode: false })
    : Readable.from(drip(source, fault.bytes ?? 64, fault.everyMilliseconds), { objectMode: false })
}

async function* cut(source: Readable, afterBytes: number | undefined): AsyncGenerator<Buffer> {
  const body = await collect(source)
  yield body.subarray(0, afterBytes ?? Math.floor(body.length / 2))
  // Long enough for what was written to leave, or the client would see no answer instead of half of one.
  await pause(20)
  throw new Error('The connection is cut by a fault')
}

async function* drip(source: Readable, bytes: number, everyMilliseconds: number): AsyncGenerator<Buffer> {
  const body = await collect(source)
  for (let start = 0; start < body.length; start += bytes) {
    if (start > 0) await pause(everyMilliseconds)
    yield body.subarray(start, start + bytes)
  }
}

async function collect(source: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of source) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}
