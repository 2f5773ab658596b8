import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Failure, Refusal } from '../../core/failure.ts'
import type { Identity } from '../../core/identity.ts'
import { type Exchange, exchangeOf, sendJson } from '../exchange.ts'
import { INTERNAL, problemOf, urnOf } from '../problem.ts'
import type { IssuedToken } from './issue-token.ts'

const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:'
const ACCESS_TOKEN = `${TOKEN_TYPE}access_token`
const SUBJECT_TYPES = new Set([ACCESS_TOKEN, `${TOKEN_TYPE}jwt`, `${TOKEN_TYPE}id_token`])
/** RFC 8693 §2.1; each at most once here, for a second target or scope is not offered. */
const PARAMETERS = [
  'grant_type',
  'resource',
  'audience',
  'scope',
  'requested_token_type',
  'subject_token',
  'subject_token_type',
  'actor_token',
  'actor_token_type',
] as const

type OAuthErrorCode =
  | 'invalid_request'
  | 'unsupported_grant_type'
  | 'invalid_target'
  | 'invalid_scope'
  | 'temporarily_unavailable'
  | 'server_error'

/** An error in the form of RFC 6749 §5.2. */
class OAuthError extends Error {
  readonly code: OAuthErrorCode

  constructor(code: OAuthErrorCode, description: string) {
    super(description)
    this.code = code
  }
}

export interface TokenExchangeOptions {
  readonly lookerUrl: string
  verify(token: string, asIdToken: boolean): Identity | Promise<Identity>
  /** The name of the grant that is the person's. @throws {Refusal} `no-grant` or `claim-missing`. */
  grantOf(identity: Identity): string
  issue(exchange: Exchange, identity: Identity): Promise<IssuedToken>
  commitAudit(exchange: Exchange, status: number): Promise<void>
  ensureAudit(): void
  observe(result: 'ok' | 'refused' | 'error', reason: string): void
  /** Logs what the caller is not told. */
  report(exchange: Exchange, error: unknown): void
}

/** `POST /token`: RFC 8693 token exchange, from a subject token to that person's Looker token. */
export async function tokenExchangeRoute(scope: FastifyInstance, options: TokenExchangeOptions): Promise<void> {
  scope.setErrorHandler((error, request, reply) => answerError(error, request, reply, options))

  scope.post('/token', async (request, reply) => {
    const exchange = exchangeOf(request)
    options.ensureAudit()
    const identity = await subjectOf(request, exchange, options)
    // Thousands may wait for Looker at once: what they sent is not kept while they do.
    request.body = undefined
    const issued = await options.issue(exchange, identity)
    exchange.reason = 'grant'
    await options.commitAudit(exchange, 200)
    options.observe('ok', 'ok')
    return sendJson(reply.header('pragma', 'no-cache'), 200, {
      access_token: issued.token.reveal(),
      issued_token_type: ACCESS_TOKEN,
      token_type: 'Bearer',
      expires_in: issued.expiresIn,
      scope: issued.grant,
    })
  })
}

/** The person whose token is asked for. @throws where the request, the token or the scope does not hold. */
async function subjectOf(
  { body }: FastifyRequest,
  exchange: Exchange,
  options: TokenExchangeOptions,
): Promise<Identity> {
  const form = readForm(body)
  const subjectToken = readSubject(form, options.lookerUrl)
  const identity = await options.verify(subjectToken, form.get('subject_token_type') === `${TOKEN_TYPE}id_token`)
  // Whoever is refused from here on is known, and the audit line says who.
  exchange.identity = identity
  const grant = options.grantOf(identity)
  const wanted = form.get('scope')?.split(' ') ?? []
  if (wanted.some(scope => scope !== grant)) {
    throw new OAuthError('invalid_scope', `this person holds the scope '${grant}' and no other`)
  }
  return identity
}

/** RFC 6749 §3.2: parameters without a value are as if left out, and none may be there twice. */
function readForm(body: unknown): ReadonlyMap<string, string> {
  if (!(body instanceof URLSearchParams)) {
    throw new OAuthError('invalid_request', 'send the parameters as application/x-www-form-urlencoded')
  }
  const form = new Map<string, string>()
  for (const name of PARAMETERS) {
    const values = body.getAll(name)
    if (values.length > 1) throw new OAuthError('invalid_request', `${name} is there more than once`)
    if (values[0] !== undefined && values[0] !== '') form.set(name, values[0])
  }
  return form
}

function readSubject(form: ReadonlyMap<string, string>, lookerUrl: string): string {
  const grantType = form.get('grant_type')
  if (grantType === undefined) throw new OAuthError('invalid_request', 'grant_type is missing')
  if (grantType !== GRANT_TYPE) throw new OAuthError('unsupported_grant_type', `grant_type has to be ${GRANT_TYPE}`)
  const subjectToken = form.get('subject_token')
  if (subjectToken === undefined) throw new OAuthError('invalid_request', 'subject_token is missing')
  const subjectType = form.get('subject_token_type')
  if (subjectType === undefined) throw new OAuthError('invalid_request', 'subject_token_type is missing')
  if (!SUBJECT_TYPES.has(subjectType)) {
    throw new OAuthError('invalid_request', `subject_token_type has to be one of ${[...SUBJECT_TYPES].join(', ')}`)
  }
  const requestedType = form.get('requested_token_type')
  if (requestedType !== undefined && requestedType !== ACCESS_TOKEN) {
    throw new OAuthError('invalid_request', `requested_token_type can only be ${ACCESS_TOKEN}`)
  }
  if (form.has('actor_token_type') !== form.has('actor_token')) {
    throw new OAuthError('invalid_request', 'actor_token and actor_token_type come together or not at all')
  }
  if (form.has('actor_token')) throw new OAuthError('invalid_request', 'delegation with an actor_token is not offered')
  const audience = form.get('audience')
  if (audience !== undefined && audience !== 'looker')
    throw new OAuthError('invalid_target', 'the only audience is "looker"')
  const resource = form.get('resource')
  if (resource !== undefined && !isSameResource(resource, lookerUrl)) {
    throw new OAuthError('invalid_target', 'the only resource is the URL of Looker, absolute and without a fragment')
  }
  return subjectToken
}

function isSameResource(resource: string, lookerUrl: string): boolean {
  return resource.replace(/\/$/, '') === lookerUrl.replace(/\/$/, '')
}

function answerError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  options: TokenExchangeOptions,
): FastifyReply {
  const exchange = exchangeOf(request)
  if (error instanceof OAuthError) {
    exchange.decision = 'denied'
    exchange.reason = error.code
    options.observe('refused', error.code)
    return sendError(reply, 400, error.code, error.message, 'bad-request')
  }
  const failure = error instanceof Refusal ? error.failure : failureOfFramework(error)
  if (failure === undefined || needsALook(failure)) options.report(exchange, error)
  if (failure === undefined || failure.kind === 'audit-unavailable') {
    exchange.decision = 'failed'
    exchange.reason = failure?.kind ?? 'internal'
    options.observe('error', exchange.reason)
    return sendError(
      reply,
      500,
      'server_error',
      failure === undefined ? INTERNAL.detail : problemOf(failure).detail,
      'internal',
    )
  }
  const problem = problemOf(failure)
  const unavailable = problem.status >= 500
  exchange.decision = unavailable ? 'failed' : 'denied'
  exchange.reason = failure.kind === 'token-rejected' ? failure.reason : failure.kind
  options.observe(unavailable ? 'error' : 'refused', exchange.reason)
  if (unavailable) {
    reply.header('retry-after', problem.headers['retry-after'] ?? '5')
    return sendError(reply, 503, 'temporarily_unavailable', problem.detail, problem.kind)
  }
  return sendError(reply, 400, 'invalid_request', problem.detail, problem.kind)
}

function sendError(
  reply: FastifyReply,
  status: number,
  error: OAuthErrorCode,
  description: string,
  kind: string,
): FastifyReply {
  // RFC 6749 §5.2: neither quotes nor backslashes in a description.
  const error_description = description.replaceAll(/["\\]/g, "'").replaceAll(/[^\x20-\x7e]/g, "'")
  return sendJson(reply.header('pragma', 'no-cache'), status, { error, error_description, problem: urnOf(kind) })
}

function needsALook(failure: Failure): boolean {
  return problemOf(failure).status >= 500
}

/** What Fastify itself refuses before our code runs: a body that is too large or not readable. */
function failureOfFramework(error: unknown): Failure | undefined {
  const status = (error as { statusCode?: unknown }).statusCode
  if (typeof status !== 'number' || status < 400 || status >= 500) return undefined
  return { kind: 'bad-request', detail: 'the body cannot be read' }
}
