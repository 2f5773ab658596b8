import { randomUUID } from 'node:crypto'
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { INTERNAL, PROBLEM_TYPE, type Problem, problemOf, renderProblem } from './problem.ts'

export interface AdminOptions {
  /** What keeps the process from being ready, in words; empty: it is. */
  notReady(): readonly string[]
  render(openMetrics: boolean): Promise<{ type: string; body: string }>
  readonly version: string
}

const UNREADABLE = problemOf({ kind: 'bad-request', detail: 'the request cannot be read' })

/** The second listener: metrics and probes. An instance of its own, so that no path of the first can reach it. */
export function createAdminServer(options: AdminOptions): FastifyInstance {
  const server = Fastify({
    logger: false,
    genReqId: () => randomUUID(),
    // The router could not read the path.
    frameworkErrors: (_error, request, reply) => answer(UNREADABLE, request, reply),
  })
  server.setErrorHandler(({ statusCode = 500 }: FastifyError, request, reply) =>
    answer(statusCode < 500 ? UNREADABLE : INTERNAL, request, reply),
  )
  server.setNotFoundHandler((request, reply) => answer(problemOf({ kind: 'not-found' }), request, reply))
  server.get('/metrics', async (request, reply) => {
    const { type, body } = await options.render(
      request.headers.accept?.includes('application/openmetrics-text') === true,
    )
    return reply.header('content-type', type).send(body)
  })
  // Alive is whoever answers: a dependency that is away is no reason to be killed.
  server.get('/livez', async () => ({ status: 'ok' }))
  server.get('/readyz', async (_request, reply) => {
    const reasons = options.notReady()
    return reply
      .code(reasons.length === 0 ? 200 : 503)
      .send({ status: reasons.length === 0 ? 'ok' : 'not ready', reasons })
  })
  server.get('/version', async () => ({ version: options.version, node: process.version }))
  return server
}

function answer(problem: Problem, { id }: FastifyRequest, reply: FastifyReply): void {
  // As bytes: to text Fastify puts a charset, which RFC 9457's media type does not have.
  reply
    .code(problem.status)
    .header('content-type', PROBLEM_TYPE)
    .send(Buffer.from(renderProblem(problem, id)))
}
