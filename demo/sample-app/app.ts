import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { createRoutes, type Exchange, notFound, type Route } from './routes.ts'
import type { Surroundings } from './surroundings.ts'

export interface SampleAppOptions {
  /** 0 takes any that is free. */
  port?: number
  host?: string
  /** How many of the latest requests are kept. */
  recorded?: number
  /** What its pages can show besides who is calling. */
  surroundings?: Surroundings
}

type Routes = Readonly<Record<string, Route>>

interface RecordedRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  /** Names and values in turn, as they came: repeated and oddly spelled headers can be told apart only here. */
  readonly rawHeaders: readonly string[]
  /** `aborted` when the connection ended before the answer did. */
  outcome: 'pending' | 'finished' | 'aborted'
}

export interface SampleApp {
  readonly url: string
  /** The latest requests, oldest first. */
  readonly requests: readonly RecordedRequest[]
  close(): Promise<void>
}

/** The app that a sidecar stands in front of: it shows who the sidecar says is calling, and answers in every shape. */
export async function startSampleApp(options: SampleAppOptions = {}): Promise<SampleApp> {
  const { port = 0, host = '127.0.0.1', recorded = 200, surroundings = {} } = options
  const routes = createRoutes(surroundings)
  const requests: RecordedRequest[] = []

  const server = createServer((request, response) => {
    const { method = 'GET', url = '/', headers, rawHeaders } = request
    const record: RecordedRequest = { method, url, headers, rawHeaders, outcome: 'pending' }
    requests.push(record)
    if (requests.length > recorded) requests.shift()
    response.once('close', () => {
      record.outcome = response.writableFinished ? 'finished' : 'aborted'
    })
    void answer(routes, request, response)
  })
  // An echo takes bodies of any size, however long they take.
  server.requestTimeout = 0
  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address()
  const listening = typeof address === 'object' && address ? address.port : port

  const stop = async () => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  let stopped: Promise<void> | undefined

  return {
    url: `http://${['0.0.0.0', '::'].includes(host) ? '127.0.0.1' : host}:${listening}`,
    requests,
    close: () => (stopped ??= stop()),
  }
}

async function answer(routes: Routes, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = URL.parse(request.url ?? '/', 'http://app.invalid')
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  try {
    await routeOf(
      routes,
      url?.pathname ?? '',
    )({
      request,
      response,
      query: url?.searchParams ?? new URLSearchParams(),
      gone: gone.signal,
    })
  } catch (error) {
    // Whoever has left hears nothing; for the rest an answer that cannot be finished must not look finished.
    if (gone.signal.aborted) return
    if (response.headersSent) response.destroy()
    else response.writeHead(500, { 'content-type': 'text/plain' }).end(String(error))
  }
}

function routeOf(routes: Routes, pathname: string): (exchange: Exchange) => void | Promise<void> {
  const [, name = '', argument] = /^(\/[^/]*)(?:\/(.*))?$/.exec(pathname) ?? []
  const route = routes[pathname] ?? (argument === undefined ? undefined : routes[`${name}/*`])
  return route ? exchange => route(exchange, argument ?? '') : notFound
}
