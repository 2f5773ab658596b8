import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { CallRecorder } from './call-recorder.ts'
import { type Cors, originOf } from './cors.ts'
import { badRequest, LookerFailure, notFound, unauthenticated } from './failure.ts'
import { disturb } from './fault-effects.ts'
import type { FaultSource } from './faults.ts'
import type { Front } from './front.ts'
import { selectFields } from './field-selection.ts'
import type { Instance } from './instance.ts'
import type { Call, Caller, Operation } from './operation.ts'
import { StreamedAnswer } from './result-format.ts'

const BASE_PATH = '/api/4.0'

export interface ServerParts {
  readonly instance: Instance
  readonly operations: readonly Operation[]
  readonly recorder: CallRecorder
  readonly faults: FaultSource
  readonly cors: Cors
  readonly front: Front
}

export function createServer({ instance, operations, recorder, faults, cors, front }: ServerParts): FastifyInstance {
  const app = fastify({
    logger: false,
    exposeHeadRoutes: false,
    // External user ids and session references are longer than the router's 100 characters.
    routerOptions: { maxParamLength: 4096 },
    serverFactory: front.serverFactory,
  })

  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, text, done) => {
    // The SDKs name the type on calls without a body too.
    if (text === '') return done(null, undefined)
    try {
      return done(null, JSON.parse(String(text)))
    } catch {
      return done(badRequest('The body is not JSON'))
    }
  })
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, text, done) =>
    done(null, new URLSearchParams(String(text))),
  )
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, _text, done) => done(null, undefined))

  app.setErrorHandler((error: unknown, _request, reply) => {
    const failure = error instanceof LookerFailure ? error : failureOf(error)
    return reply.code(failure.status).headers(failure.headers).send(failure.document())
  })

  function identify(operation: Operation, token: string | undefined): Caller | undefined {
    if (operation.access === 'open') return undefined
    const userId = token === undefined ? undefined : instance.tokens.holder(token)
    const user = userId === undefined ? undefined : instance.users.get(userId)
    if (user === undefined || token === undefined) throw unauthenticated()
    if (operation.access === 'admin' && !instance.access.isAdmin(user)) throw notFound()
    return { user, token }
  }

  function respond(reply: FastifyReply, call: Call, result: unknown): FastifyReply {
    if (result === undefined) return reply.code(204).send()
    if (result instanceof StreamedAnswer) {
      return reply.code(result.status).type(result.contentType).send(result.body)
    }
    const { fields } = call.query
    // Written out here: fastify would send a lone string as text, and Looker's answers are JSON all the same.
    return reply
      .type('application/json; charset=utf-8')
      .send(JSON.stringify(typeof fields === 'string' ? selectFields(result, fields) : result))
  }

  for (const operation of operations) {
    const callers = new WeakMap<FastifyRequest, Caller>()
    const path = BASE_PATH + operation.path
    const watch = recorder.hooks(operation.id, operation.secretPath === true ? path : undefined)
    app.route<{ Params: Record<string, string>; Querystring: Record<string, unknown> }>({
      method: operation.method,
      url: path,
      onSend: watch.onSend,
      onRequest: [
        watch.onRequest,
        async (request, reply) => {
          cors.admit(request, reply, operation.id)
          if (await disturb(faults, operation.id, reply)) return
          const caller = identify(operation, recorder.tokenOf(request))
          if (caller !== undefined) callers.set(request, caller)
        },
      ],
      handler: (request, reply) => {
        const { params, query, body } = request
        const userAgent = request.headers['user-agent'] ?? ''
        const call: Call = { params, query, body, userAgent, origin: originOf(request) }
        if (operation.access === 'open') return respond(reply, call, operation.answer(call))
        const caller = callers.get(request)
        if (caller === undefined) throw unauthenticated()
        return respond(reply, call, operation.answer(call, caller))
      },
    })
  }

  app.options(`${BASE_PATH}/*`, (request, reply) => {
    const flight = recorder.begin(request, reply, 'preflight')
    flight.record.status = 204
    const isLogin = request.url.split('?', 1)[0] === `${BASE_PATH}/login`
    try {
      return cors.preflight(request, reply, isLogin ? 'login' : 'other')
    } catch (error) {
      flight.record.status = 404
      throw error
    }
  })

  app.setNotFoundHandler((request, reply) => {
    recorder.begin(request, reply, 'unmatched').record.status = 404
    throw notFound()
  })
  return app
}

function failureOf(error: unknown): LookerFailure {
  const status =
    typeof error === 'object' && error !== null && 'statusCode' in error ? Number(error.statusCode) : undefined
  // What fastify refuses (a body too large, a broken escape) is the caller's; the rest is a mistake of ours, to be seen.
  if (status !== undefined && status >= 400 && status < 500) return badRequest('Bad request')
  console.error(error)
  return new LookerFailure(500, 'An error has occurred.')
}
