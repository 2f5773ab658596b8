import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { text as textOf } from 'node:stream/consumers'
import { assets } from './assets.ts'
import { lastAuditEntries } from './audit-lines.ts'
import { callerOf } from './caller.ts'
import { deskPage } from './desk-page.ts'
import { landingPage } from './landing-page.ts'
import { pageHeaders } from './layout.ts'
import { createNotes, MAX_NOTE_LENGTH, type Notes } from './notes.ts'
import { portalHeaders, portalPage } from './portal-page.ts'
import type { Surroundings } from './surroundings.ts'

export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly query: URLSearchParams
  /** Aborted once the connection has ended. */
  readonly gone: AbortSignal
}

export type Route = (exchange: Exchange, argument: string) => void | Promise<void>

const CHUNK = Buffer.alloc(64 * 1024, 'sallyport ')

/** By path; `/*` takes one argument, the rest of the path. */
export function createRoutes(surroundings: Surroundings): Readonly<Record<string, Route>> {
  const notes = createNotes()
  return {
    '/': ({ request, response }) => {
      const caller = callerOf(request.headers)
      const page = caller === undefined ? landingPage(surroundings) : deskPage(caller, surroundings, notes.list)
      response.writeHead(200, pageHeaders(surroundings)).end(page)
    },
    '/portal': exchange => {
      const { request, response } = exchange
      const caller = callerOf(request.headers)
      const { lookerUrl } = surroundings
      if (lookerUrl === undefined) return notFound(exchange)
      // Behind Sallyport nobody comes here unnamed: its rule for this path sends them to the sign-in, and back.
      if (caller === undefined) return void response.writeHead(303, { location: '/' }).end()
      response.writeHead(200, portalHeaders(surroundings, lookerUrl)).end(portalPage(caller, surroundings, lookerUrl))
    },
    '/assets/*': asset,
    '/notes': exchange => leaveNote(exchange, notes),
    // The page asks every few seconds. That it is answered says that the session goes on; `user`, whose it is by now.
    '/now': ({ request, response }) =>
      json(response, {
        user: callerOf(request.headers)?.user ?? null,
        audit: lastAuditEntries(surroundings.auditLines?.() ?? []),
      }),
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
}

export function notFound({ response }: Exchange): void {
  text(response, 404, 'There is nothing here.\n')
}

function asset({ response }: Exchange, name: string): void {
  const found = assets.get(name)
  if (found === undefined) return text(response, 404, 'There is nothing here.\n')
  const { type, cacheControl, body } = found
  response.writeHead(200, {
    'content-type': type,
    'content-length': body.length,
    'cache-control': cacheControl,
    'x-content-type-options': 'nosniff',
  })
  response.end(body)
}

/** A form as browsers send it; the page's script asks for JSON instead of the page anew. */
async function leaveNote({ request, response }: Exchange, notes: Notes): Promise<void> {
  if (request.method !== 'POST') return text(response, 405, 'Notes are posted.\n')
  const caller = callerOf(request.headers)
  const written = new URLSearchParams(await textOf(request)).get('note')?.trim() ?? ''
  if (caller === undefined) return text(response, 401, 'Nobody says who you are.\n')
  if (written === '' || written.length > MAX_NOTE_LENGTH)
    return text(response, 400, 'A note has 1 to 500 characters.\n')
  const note = { who: caller.email ?? caller.user, text: written }
  notes.add(note)
  if (request.headers.accept === 'application/json') json(response, note)
  else response.writeHead(303, { location: '/#notes' }).end()
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
