import { hash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Flight, RecordingCallLog } from './calls.ts'
import { spoil } from './fault-effects.ts'
import type { FaultSource } from './faults.ts'
import type { Instance } from './instance.ts'

/** Puts requests on record, from their arrival until they are answered or given up. */
export function createCallRecorder(
  { tokens, sessions, users, access, now }: Instance,
  calls: RecordingCallLog,
  faults: FaultSource,
) {
  const recorded = new WeakMap<FastifyRequest, { flight: Flight; token: string | undefined }>()

  function begin(request: FastifyRequest, reply: FastifyReply, operationId: string, path?: string): Flight {
    const token = presentedToken(request.headers.authorization)
    const holderId = token === undefined ? undefined : (tokens.holder(token) ?? sessions.caller(token)?.session.userId)
    const holder = holderId === undefined ? undefined : users.get(holderId)
    const [pathname = '', query = ''] = request.url.split('?', 2)
    const byService = operationId === 'login' || (holder !== undefined && access.isAdmin(holder))
    const flight = calls.begin(
      {
        operationId,
        method: request.method,
        path: path ?? pathname,
        query: query.replaceAll(/((?:^|&)[^=&]*(?:token|secret|signature)=)[^&]*/gi, '$1[secret]'),
        time: now(),
        userId: holder?.id,
        tokenFingerprint: token === undefined ? undefined : fingerprint(token),
        userAgent: request.headers['user-agent'],
        requestId: request.headers['x-request-id']?.toString(),
        headers: Object.keys(request.headers),
        aborted: false,
      },
      byService,
    )
    reply.raw.once('close', () => {
      flight.record.aborted = !reply.raw.writableFinished
      flight.settle()
    })
    recorded.set(request, { flight, token })
    return flight
  }

  return {
    begin,
    /** The bearer token of a request on record. */
    tokenOf: (request: FastifyRequest): string | undefined => recorded.get(request)?.token,
    /** The hooks of a route. @param path what is written down in place of the request's own path */
    hooks: (operationId: string, path?: string) => ({
      onRequest: async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
        begin(request, reply, operationId, path)
      },
      onSend: async (request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> => {
        const flight = recorded.get(request)?.flight
        if (flight !== undefined) flight.record.status = reply.statusCode
        const body = spoil(faults, operationId, payload)
        // Landed before the answer leaves: a caller that waits for it must not find its last call still in the air.
        if (!(body instanceof Readable)) flight?.settle()
        return body
      },
    }),
  }
}

export type CallRecorder = ReturnType<typeof createCallRecorder>

function presentedToken(authorization: string | undefined): string | undefined {
  return /^(?:bearer|token)\s+(\S+)$/i.exec(authorization ?? '')?.[1]
}

const fingerprint = (token: string): string => hash('sha256', token).slice(0, 12)
