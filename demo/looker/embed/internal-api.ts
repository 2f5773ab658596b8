import type { FastifyInstance } from 'fastify'
import { originOf } from '../cors.ts'
import { unauthenticated } from '../failure.ts'
import { disturb } from '../fault-effects.ts'
import { StreamedAnswer } from '../result-format.ts'
import type { LookerUser } from '../users.ts'
import { createEmbedContent } from './content.ts'
import { cookieOf } from './cookie.ts'
import type { EmbedParts } from './routes.ts'

const PREFIX = '/api/internal/embed'

/** What the pages in iframes ask this server, with an api token or the cookie of signed embedding. */
export function addInternalApi(app: FastifyInstance, { instance, recorder, faults }: EmbedParts): void {
  const { sessions, users } = instance
  const content = createEmbedContent(instance)

  const answerTo = (
    operation: string,
    path: string,
    answer: (user: LookerUser, params: Readonly<Record<string, string>>, query: URLSearchParams) => unknown,
  ): void => {
    const watch = recorder.hooks(operation)
    app.get<{ Params: Record<string, string> }>(
      PREFIX + path,
      {
        onRequest: [watch.onRequest, async (_request, reply) => void (await disturb(faults, operation, reply))],
        onSend: watch.onSend,
      },
      (request, reply) => {
        const held = sessions.caller(recorder.tokenOf(request) ?? cookieOf(request) ?? '')
        const user = held === undefined ? undefined : users.get(held.session.userId)
        if (held === undefined || user === undefined) throw unauthenticated()
        const result = answer(user, request.params, new URL(request.url, originOf(request)).searchParams)
        // The page's own clock says nothing about tokens, and what its host says may come from a cache.
        reply.headers({ 'cache-control': 'no-store', 'x-embed-ttl': held.ttl })
        if (result instanceof StreamedAnswer) return reply.type(result.contentType).send(result.body)
        return reply.send(result)
      },
    )
  }

  answerTo('embed_heartbeat', '/heartbeat', () => ({}))
  answerTo('embed_content', '/content/*', (user, params, query) => content.describe(user, params['*'] ?? '', query))
  answerTo('embed_tile', '/tiles/:tile/*', (user, params, query) =>
    content.runTile(user, params['*'] ?? '', params['tile'] ?? '', query),
  )
}
