import type { FastifyInstance } from 'fastify'
import { isRecord } from './body.ts'
import type { CallLog } from './calls.ts'
import type { TurnableClock } from './clock.ts'
import { badRequest, notFound } from './failure.ts'
import { type Faults, isFault } from './faults.ts'
import type { UserRegister } from './user-register.ts'

export interface ControlParts {
  readonly calls: CallLog
  readonly faults: Faults
  readonly users: UserRegister
  readonly clock: TurnableClock
  readonly revokeTokens: (userId?: string) => void
}

/** The in-process handle over HTTP, for a Looker that runs in a container of its own. No secrets come out of it. */
export function addControl(app: FastifyInstance, { calls, faults, users, clock, revokeTokens }: ControlParts): void {
  const prefix = '/__emulator'

  app.get<{ Querystring: { operation?: string } }>(`${prefix}/calls`, request => {
    const { operation } = request.query
    return {
      count: calls.count(operation),
      high_water: calls.highWater(operation),
      service_high_water: calls.serviceHighWater(),
      calls: operation === undefined ? calls.list : calls.list.filter(call => call.operationId === operation),
    }
  })
  app.delete(`${prefix}/calls`, (_request, reply) => {
    calls.reset()
    return reply.code(204).send()
  })
  app.post(`${prefix}/faults`, (request, reply) => {
    // Any member but the kind may be what a test wants to be nonsense.
    if (!isFault(request.body)) throw badRequest('Unknown kind of fault')
    faults.inject(request.body)
    return reply.code(204).send()
  })
  app.delete(`${prefix}/faults`, (_request, reply) => {
    faults.clear()
    return reply.code(204).send()
  })
  app.post(`${prefix}/clock`, request => {
    const { body } = request
    const seconds = isRecord(body) ? body['advance_seconds'] : undefined
    if (typeof seconds !== 'number' || !Number.isFinite(seconds)) throw badRequest('advance_seconds must be a number')
    clock.advance(seconds)
    return { now: new Date(clock.now()).toISOString() }
  })
  app.post<{ Params: { id: string } }>(`${prefix}/users/:id/disable`, (request, reply) => {
    if (users.get(request.params.id) === undefined) throw notFound()
    users.disable(request.params.id)
    return reply.code(204).send()
  })
  app.post(`${prefix}/revoke`, (request, reply) => {
    const userId = isRecord(request.body) ? request.body['user_id'] : undefined
    revokeTokens(typeof userId === 'string' ? userId : undefined)
    return reply.code(204).send()
  })
}
