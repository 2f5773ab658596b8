import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import cors from '@fastify/cors'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Clock } from '../core/clock.ts'
import { Refusal } from '../core/failure.ts'
import { readTarget } from './canonical-path.ts'
import { type Exchange, exchangeDecorator, exchangeOf, type Route } from './exchange.ts'
import { createGuard } from './guard.ts'
import { type OwnEndpointsOptions, ownEndpoints, ownRoutes } from './own-endpoints.ts'
import { isNavigation, showProblemsAsPages } from './pages.ts'
import { INTERNAL, PROBLEM_TYPE, type Problem, problemOf, renderProblem } from './problem.ts'
import { dropRest } from './request-body.ts'
import { readHeaders } from './request-headers.ts'
import { type AppRouteOptions, appRoute } from './routes/app.ts'
import { endUnreadAnswers } from './unread-answers.ts'
import { asksForWebSocket, routeUpgrades } from './upgrades.ts'

/** The caller went away before there was an answer; no client ever sees it. The number is the one nginx made usual. */
const CLIENT_GONE = 499
const MAX_HEADER_BYTES = 32_768

/** What a client may ask of our patience, in milliseconds. */
export interface Patience {
  /** From its first byte, or from the connection, to the end of the headers. */
  readonly headers: number
  /** Between two pieces of a body, its own or one that it does not read. */
  readonly body: number
  /** For the whole of a form to one of Sallyport's own endpoints. */
  readonly form: number
  /** Between two requests. Longer than the idle time-outs of the usual load balancers, so that they are the ones who close. */
  readonly keepAlive: number
  /** How often connections are looked through for late headers and unread answers. */
  readonly check: number
}
const PATIENCE: Patience = { headers: 30_000, body: 60_000, form: 30_000, keepAlive: 75_000, check: 5000 }

export interface ProxyServerOptions extends OwnEndpointsOptions {
  readonly prefix: string
  readonly corsOrigins: readonly string[]
  readonly clock: Clock
  readonly app:
    | Omit<AppRouteOptions, 'options' | 'report' | 'assert' | 'clientAddress' | 'idleMilliseconds' | 'stopping'>
    | undefined
  readonly patience?: Patience
  /** Called once for each request. */
  onBegin(): void
  /** Called once for each request, when its answer has ended or its caller has gone. */
  onEnd(exchange: Exchange, status: number): void
  report(exchange: Exchange, error: unknown): void
  /** True from the moment the process is to stop: connections are not kept alive from then on. */
  stopping(): boolean
}

/** The listener that the ingress points at. */
export async function createProxyServer(options: ProxyServerOptions): Promise<FastifyInstance> {
  const { prefix, patience = PATIENCE } = options
  const sessionCookie = options.signIn?.cookies.session
  const server = Fastify({
    logger: false,
    return503OnClosing: false,
    keepAliveTimeout: patience.keepAlive,
    requestTimeout: 0,
    // A missing Host is refused below: Node's own answer is no problem document.
    http: {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: patience.headers,
      connectionsCheckingInterval: patience.check,
      requireHostHeader: false,
      shouldUpgradeCallback: asksForWebSocket,
    },
    // The query is never parsed on the way through; who needs it reads it from the target.
    routerOptions: { querystringParser: () => ({}), maxParamLength: 8192 },
    genReqId: requestIdOf,
    clientErrorHandler: answerBrokenRequest,
    // The router could not read the path. This request has no decorators, so the exchange is not hung on it.
    frameworkErrors: (error, request, reply) => {
      condemnOddFraming(request.raw, reply.raw)
      const refusal = new Refusal({ kind: 'bad-request', detail: 'the path cannot be read' }, { cause: error })
      answer(refusal, createExchange(request, reply), reply)
    },
  })
  server.decorateRequest(exchangeDecorator.key, null)
  routeUpgrades(server)
  endUnreadAnswers(server.server, patience)
  // A connection is told to close when its answer goes out: the request may have begun before the stop.
  server.addHook('onSend', (_request, reply, _payload, done) => {
    if (options.stopping()) reply.raw.shouldKeepAlive = false
    done()
  })

  const ownRoute = ownRoutes(options)
  const routeOf = (path: string): Route => {
    if (path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === '/')) {
      return ownRoute(path.slice(prefix.length))
    }
    return options.app === undefined ? 'other' : 'app'
  }

  const createExchange = (request: FastifyRequest, reply: FastifyReply): Exchange => {
    const exchange: Exchange = {
      requestId: request.id,
      time: options.clock.now(),
      startedAt: performance.now(),
      sourceIp: options.clientAddress.of(request.raw.socket.remoteAddress, request.raw.headers['x-forwarded-for']),
      method: request.raw.method ?? 'GET',
      route: 'other',
      target: undefined,
      headers: undefined,
      identity: undefined,
      bearerIsOurs: false,
      sessionId: undefined,
      permit: undefined,
      rule: undefined,
      grant: undefined,
      lookerUserId: undefined,
      reason: 'endpoint',
      decision: 'allowed',
      upstreamMilliseconds: 0,
      onClosed: undefined,
      audited: false,
    }
    options.onBegin()
    reply.raw.on('close', () => {
      exchange.onClosed?.()
      dropRest(request.raw)
      options.onEnd(exchange, reply.raw.headersSent ? reply.raw.statusCode : CLIENT_GONE)
    })
    return exchange
  }

  const answer = (error: unknown, exchange: Exchange, reply: FastifyReply): void => {
    const failure = error instanceof Refusal ? error.failure : undefined
    if (failure?.kind === 'no-credentials' && options.signIn !== undefined && opensPage(reply.request.raw, exchange)) {
      exchange.decision = 'denied'
      exchange.reason = failure.kind
      const query = new URLSearchParams({ return_to: reply.request.raw.url ?? '/' })
      reply
        .code(302)
        .headers({ location: `${prefix}/login?${query.toString()}`, 'cache-control': 'no-store' })
        .send()
      return
    }
    const problem = failure === undefined ? (problemOfFramework(error) ?? INTERNAL) : problemOf(failure)
    exchange.decision = problem.status >= 500 ? 'failed' : 'denied'
    exchange.reason =
      failure?.kind === 'token-rejected' || failure?.kind === 'sign-in-failed'
        ? failure.reason
        : (failure?.kind ?? problem.kind)
    if (problem.status >= 500) options.report(exchange, error)
    reply
      .code(problem.status)
      .headers(problem.headers)
      .header('content-type', PROBLEM_TYPE)
      .header('cache-control', 'no-store')
      .header('x-request-id', exchange.requestId)
      // As bytes: to text Fastify puts a charset, which RFC 9457's media type does not have.
      .send(Buffer.from(renderProblem(problem, exchange.requestId)))
  }
  server.setErrorHandler((error, request, reply) => answer(error, exchangeOf(request), reply))
  server.setNotFoundHandler((request, reply) => answer(new Refusal({ kind: 'not-found' }), exchangeOf(request), reply))

  server.addHook('onRequest', (request, reply, done) => {
    const exchange = createExchange(request, reply)
    exchangeDecorator.set(request, exchange)
    const isOdd = condemnOddFraming(request.raw, reply.raw)
    exchange.target = readTarget(request.raw.url ?? '/')
    exchange.route = routeOf(exchange.target.path)
    refuseMissingHost(request.raw)
    if (isOdd) throw new Refusal({ kind: 'bad-request', detail: 'where the request ends can be read in two ways' })
    exchange.headers = readHeaders(request.raw.rawHeaders, sessionCookie)
    done()
  })

  if (options.corsOrigins.length > 0) {
    server.addHook('onRequest', (request, _reply, done) => {
      if (exchangeOf(request).route !== 'check') refuseOtherOptions(request.raw)
      done()
    })
    await server.register(cors, {
      origin: [...options.corsOrigins],
      credentials: true,
      methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
      exposedHeaders: ['X-Request-Id', 'Retry-After', 'WWW-Authenticate'],
      maxAge: 600,
    })
  }

  await server.register(own => ownEndpoints(own, options, patience.form), { prefix })

  const { app } = options
  if (app !== undefined) {
    await server.register(async scope => {
      scope.removeAllContentTypeParsers()
      // Bodies stream: nothing reads them here.
      scope.addContentTypeParser('*', (_request, _payload, done) => done(null))
      if (options.signIn !== undefined) {
        // A form that somebody sends after their session has ended; an app that is away.
        showProblemsAsPages(scope, options.signIn.site, () => [{ href: '/', label: 'Go to the start' }], isNavigation)
      }
      scope.addHook('onRequest', createGuard({ ...options.guard, ruleFor: options.guard.appRule }))
      scope.addHook('onRequest', (request, _reply, done) => {
        // Fastify refuses a type that it cannot read. It goes on as it came, from the raw headers.
        request.raw.headers['content-type'] = undefined
        done()
      })
      await appRoute(scope, {
        ...app,
        clientAddress: options.clientAddress,
        idleMilliseconds: patience.body,
        stopping: options.stopping,
        options: options.corsOrigins.length === 0,
        report: options.report,
        assert: options.assertion.assert,
      })
    })
  }
  return server
}

/** Whether a person would see the answer as a page. What a page fetches, and what an ingress asks, gets a plain 401. */
function opensPage({ method, headers }: IncomingMessage, { route }: Exchange): boolean {
  if (method !== 'GET' || route === 'check' || headers.accept?.includes('text/html') !== true) return false
  const { 'sec-fetch-mode': mode, 'sec-fetch-dest': dest } = headers
  return (mode === undefined || mode === 'navigate') && (dest === undefined || dest === 'document')
}

/** Where CORS is ours every OPTIONS is; @fastify/cors would refuse this one in plain text. */
function refuseOtherOptions({ method, headers }: IncomingMessage): void {
  if (method !== 'OPTIONS') return
  if (headers.origin !== undefined && headers['access-control-request-method'] !== undefined) return
  throw new Refusal({ kind: 'bad-request', detail: 'OPTIONS is answered to CORS preflights only' })
}

const REQUEST_ID = /^[\w-]{8,64}$/

function requestIdOf(request: IncomingMessage): string {
  const sent = request.headers['x-request-id']
  return typeof sent === 'string' && REQUEST_ID.test(sent) ? sent : randomUUID()
}

/** RFC 9112 §3.2: only HTTP/1.0 does without. */
function refuseMissingHost(request: IncomingMessage): void {
  if (request.headers.host !== undefined || request.httpVersion === '1.0') return
  throw new Refusal({ kind: 'bad-request', detail: 'there is no Host header' })
}

/** Connections on which a request was refused that others may cut in another place. What comes behind it is no request. */
const condemned = new WeakSet<Socket>()

/**
 * RFC 9112 §6.1: what one reader takes for a length and another for chunks is an attack or a mistake. Node lets some of it
 * pass, and other versions than ours. Whatever the request is answered, its connection ends with it. Says whether it is one.
 */
function condemnOddFraming(
  { headers, httpVersion, httpVersionMajor, socket }: IncomingMessage,
  response: ServerResponse,
): boolean {
  const { 'transfer-encoding': encoding, 'content-length': length } = headers
  const isOdd =
    httpVersionMajor !== 1 ||
    condemned.has(socket) ||
    (encoding !== undefined && (encoding.toLowerCase() !== 'chunked' || httpVersion === '1.0' || length !== undefined))
  if (isOdd) {
    condemned.add(socket)
    response.shouldKeepAlive = false
  }
  return isOdd
}

/** What Fastify itself refuses. */
function problemOfFramework(error: unknown): Problem | undefined {
  const { statusCode } = error as { statusCode?: unknown }
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode >= 500) return undefined
  return problemOf({ kind: 'bad-request', detail: 'the request cannot be read' })
}

/** A request that Node's parser refused has no exchange: the answer is written to the socket, and the connection ends. */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  // The answer to the request before this one is on its way, and another one cannot be put into it.
  const pending: unknown = Reflect.get(socket, '_httpMessage')
  if (pending !== undefined && pending !== null) {
    socket.destroySoon()
    return
  }
  const { status, text, kind } =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? { status: 431, text: 'Request Header Fields Too Large', kind: 'too-large' }
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? { status: 408, text: 'Request Timeout', kind: 'bad-request' }
        : { status: 400, text: 'Bad Request', kind: 'bad-request' }
  const detail = 'The request is not well-formed HTTP, too large, or too slow.'
  const body = renderProblem({ kind, status, title: text, detail, headers: {} }, randomUUID())
  socket.end(
    `HTTP/1.1 ${status} ${text}\r\nContent-Type: ${PROBLEM_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      `Cache-Control: no-store\r\nConnection: close\r\n\r\n${body}`,
  )
}
