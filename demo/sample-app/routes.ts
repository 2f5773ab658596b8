import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { homePage, pageHeaders } from './page.ts'

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly query: URLSearchParams
  /** Aborted once the connection has ended. */
  readonly gone: AbortSignal
}

export type Answer = (exchange: Exchange) => void | Promise<void>
type Route = (exchange: Exchange, argument: string) => void | Promise<void>

const CHUNK = Buffer.alloc(64 * 1024, 'sallyport ')

/** By path; `/*` takes one argument, the rest of the path. */
export const routes: Readonly<Record<string, Route>> = {
  '/': ({ request, response }) => {
    response.writeHead(200, pageHeaders).end(homePage(request.headers))
  },
  '/headers': ({ request, response }) => json(response, request.headers),
  '/echo': echo,
  '/stream': stream,
  '/bytes/*': bytes,
  '/status/*': status,
  '/slow': async ({ response, query, gone }) => {
    const ms = Number(query.get('ms') ?? 1000)
    await delay(ms, undefined, { signal: gone })
    json(response, { waitedMs: ms })
  },
  '/public/hello.txt': ({ response }) => text(response, 200, 'Hello. Anyone may read this.\n'),
}

export function notFound({ response }: Exchange): void {
  text(response, 404, 'There is nothing here.\n')
}

/** The body is read to its end and never kept: what comes back is its length and digest. */
async function echo({ request, response }: Exchange): Promise<void> {
  const { method, url, headers, rawHeaders } = request
  const digest = createHash('sha256')
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    digest.update(chunk)
    length += chunk.length
  }
  json(response, { method, url, headers, rawHeaders, body: { length, sha256: digest.digest('hex') } })
}

/** Server-sent events: one at once, then one a second. */
async function stream({ response, query, gone }: Exchange): Promise<void> {
  const seconds = Number(query.get('seconds') ?? 5)
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  for (let second = 0; second <= seconds; second += 1) {
    if (second > 0) await delay(1000, undefined, { signal: gone })
    response.write(`id: ${second}\nevent: tick\ndata: ${JSON.stringify({ second, of: seconds })}\n\n`)
  }
  response.end()
}

async function bytes({ request, response }: Exchange, argument: string): Promise<void> {
  const length = /^\d{1,15}$/.test(argument) ? Number(argument) : undefined
  if (length === undefined) return text(response, 400, 'How many bytes?\n')
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': length })
  if (request.method === 'HEAD') response.end()
  else await pipeline(Readable.from(chunksOf(length)), response)
}

function* chunksOf(length: number): Generator<Buffer> {
  for (let left = length; left > 0; left -= CHUNK.length) yield CHUNK.subarray(0, left)
}

async function status({ request, response }: Exchange, argument: string): Promise<void> {
  const code = Number(argument)
  if (!/^[2-5]\d\d$/.test(argument)) return text(response, 400, 'Which status, 200 to 599?\n')
  // The body is read first, so that an early answer does not reset a client that is still sending.
  request.resume()
  if (!request.readableEnded) await once(request, 'end')
  // RFC 9110 §15.3.5, §15.4.5: these have no content.
  if (code === 204 || code === 304) response.writeHead(code).end()
  else text(response, code, `${code}\n`)
}

function json(response: ServerResponse, value: unknown): void {
  response
    .writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    .end(JSON.stringify(value))
}

function text(response: ServerResponse, code: number, body: string): void {
  response.writeHead(code, { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(body) })
  response.end(body)
}
