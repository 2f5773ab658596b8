import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import type { FastifyInstance } from 'fastify'

export interface ClientOptions {
  /** Where Looker's pages are. */
  readonly lookerUrl: string
}

/** `GET /client.js`: the browser client. For everybody: a page may load it before anybody has signed in. */
export async function clientRoute(scope: FastifyInstance, { lookerUrl }: ClientOptions): Promise<void> {
  const { prefix } = scope
  const body = Buffer.from(`${readClient()}Object.assign(served, ${JSON.stringify({ prefix, lookerUrl })})\n`)
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
  scope.get('/client.js', async (request, reply) => {
    reply.header('etag', etag).header('cache-control', 'public, max-age=300')
    // Weak or one of several: the tag is in it all the same (RFC 9110 §13.1.2).
    if (request.headers['if-none-match']?.includes(etag) === true) return reply.code(304).send()
    // As bytes: to text Fastify puts a charset, and modules are UTF-8 without.
    return reply.header('content-type', 'text/javascript').header('x-content-type-options', 'nosniff').send(body)
  })
}

/** Compiled, or without a build from TypeScript: this file and the client are of one kind. Comments are left out. */
function readClient(): string {
  const isSource = import.meta.url.endsWith('.ts')
  const text = readFileSync(new URL(`../../browser/client.${isSource ? 'ts' : 'js'}`, import.meta.url), 'utf8')
  return (isSource ? quietly(() => stripTypeScriptTypes(text)) : text).replaceAll(/^\s*(?:(?:\/?\*|\/\/).*)?\n/gm, '')
}

/** Node still calls this experimental, and would say so on stderr at each start from source. */
function quietly<T>(work: () => T): T {
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    return work()
  } finally {
    process.emitWarning = emitWarning
  }
}
