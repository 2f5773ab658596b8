import type { FastifyReply, FastifyRequest } from 'fastify'
import { notFound } from './failure.ts'

const METHODS = 'GET, POST, PUT, PATCH, DELETE'
const HEADERS = 'authorization, content-type, x-looker-appid'

export function originOf(request: FastifyRequest): string {
  return `${request.protocol}://${request.host}`
}

/**
 * Who may call across origins: exactly the entries of the embed domain allowlist, character for character, and never
 * `login`. Any other origin is refused even with a good token, so a gateway that passes a browser's Origin on is noticed.
 */
export function createCors(allowlist: () => readonly string[]) {
  function isAllowed(origin: string, operation: string): boolean {
    return operation !== 'login' && allowlist().includes(origin)
  }
  return {
    admit(request: FastifyRequest, reply: FastifyReply, operation: string): void {
      reply.header('vary', 'Origin')
      const { origin } = request.headers
      if (origin === undefined || origin === originOf(request)) return
      if (!isAllowed(origin, operation)) throw notFound()
      reply.header('access-control-allow-origin', origin)
    },
    /** @param operation `login` when that is what the preflight asks about */
    preflight(request: FastifyRequest, reply: FastifyReply, operation: string): FastifyReply {
      const { origin } = request.headers
      reply.header('vary', 'Origin')
      if (origin === undefined || !isAllowed(origin, operation)) throw notFound()
      return reply
        .code(204)
        .header('access-control-allow-origin', origin)
        .header('access-control-allow-methods', METHODS)
        .header('access-control-allow-headers', HEADERS)
        .header('access-control-max-age', '600')
        .send()
    },
  }
}

export type Cors = ReturnType<typeof createCors>
