/** The least there can be: Fastify, and an undici handler that streams the answer and is cancelled with its caller. */
import Fastify from 'fastify'
import { Pool } from 'undici'

const pool = new Pool(process.env['UPSTREAM'] ?? '', { connections: 512, bodyTimeout: 0 })
const server = Fastify({ logger: false })
server.all('/*', (request, reply) => {
  reply.hijack()
  const { raw } = reply
  const { connection: _connection, 'keep-alive': _keepAlive, ...headers } = request.headers
  pool.dispatch(
    { method: request.method, path: request.url, headers, body: request.method === 'GET' ? null : request.raw },
    {
      onRequestStart(controller) {
        raw.once('close', () => {
          if (!raw.writableFinished) controller.abort(new Error('gone'))
        })
      },
      onResponseStart(_controller, status, { connection: _upstream, 'keep-alive': _life, ...answer }) {
        raw.writeHead(status, answer)
      },
      onResponseData(controller, chunk) {
        if (raw.write(chunk)) return
        controller.pause()
        raw.once('drain', () => controller.resume())
      },
      onResponseEnd: () => void raw.end(),
      onResponseError: () => void raw.destroy(),
    },
  )
})
await server.listen({ port: Number(process.env['PORT']), host: '127.0.0.1' })
