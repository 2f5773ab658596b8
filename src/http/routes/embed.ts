import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../../core/clock.ts'
import { Refusal } from '../../core/failure.ts'
import type { Identity } from '../../core/identity.ts'
import type { LookerScope } from '../../core/looker-scope.ts'
import { Secret } from '../../core/secret.ts'
import type { EmbedToken, EmbedTokens } from '../../looker/embed-acquire.ts'
import type { EmbedSessions } from '../../looker/embed-sessions.ts'
import type { EmbedUrls } from '../../looker/embed-urls.ts'
import { type EmbedTargetRules, readEmbedTarget } from '../embed-target.ts'
import { type Exchange, exchangeOf, identityOf, sendJson } from '../exchange.ts'
import { refuseTokenInForm } from '../guard.ts'

export interface EmbedOptions extends EmbedTargetRules {
  readonly clock: Clock
  /** @throws {Refusal} `no-grant` or `claim-missing`. */
  scopeOf(identity: Identity): LookerScope
  /** Who it is to Looker, with a grant or without. @throws {Refusal} `claim-missing`. */
  personOf(identity: Identity): { externalUserId: string; grant: string | undefined }
  readonly sessions: EmbedSessions
  readonly urls: EmbedUrls
  /**
   * The last step, for callers with a session: has what Looker needs from the person's issuer put there, before an iframe can ask for it.
   * @throws {Refusal} `no-credentials` where they signed out meanwhile; what was made for them is dropped.
   */
  beforeHandOut(exchange: Exchange, identity: Identity, isNew: boolean): Promise<void>
  commitAudit(exchange: Exchange, status: number): Promise<void>
}

/** What a page of the Embed SDK takes for the end of its session: it begins another. As Looker says it. */
const OVER = {
  api_token: null,
  api_token_ttl: 0,
  navigation_token: null,
  navigation_token_ttl: 0,
  session_reference_token_ttl: 0,
}

/** The endpoints of the Embed SDK: cookieless sessions (acquire, generate) and signed URLs. */
export async function embedRoutes(
  guarded: FastifyInstance,
  options: EmbedOptions,
  bodyOf: (request: FastifyRequest) => Promise<Buffer>,
): Promise<void> {
  const { clock, sessions } = options

  const secondsLeft = (expiresAt: number): number => Math.max(0, Math.floor((expiresAt - clock.now()) / 1000))
  const written = <Name extends string>(name: Name, { token, expiresAt }: EmbedToken) =>
    ({ [name]: token.reveal(), [`${name}_ttl`]: secondsLeft(expiresAt) }) as Record<Name, string>
  const writtenTokens = ({ navigation, api, sessionExpiresAt }: EmbedTokens) => ({
    ...written('navigation_token', navigation),
    ...written('api_token', api),
    session_reference_token_ttl: secondsLeft(sessionExpiresAt),
  })

  /** Asks Looker for somebody, and counts the time as Looker's. */
  const askFor = async <P extends { readonly grant: string | undefined }, T>(
    request: FastifyRequest,
    person: P,
    ask: (person: P, context: { requestId: string }) => Promise<T>,
  ): Promise<T> => {
    const exchange = exchangeOf(request)
    exchange.grant = person.grant
    const started = performance.now()
    try {
      return await ask(person, { requestId: exchange.requestId })
    } finally {
      exchange.upstreamMilliseconds += performance.now() - started
    }
  }
  const forCaller = <T>(
    request: FastifyRequest,
    ask: (scope: LookerScope, context: { requestId: string }) => Promise<T>,
  ): Promise<T> => askFor(request, options.scopeOf(identityOf(request)), ask)
  /** The event is on record before anything is handed out. */
  const handOut = async (request: FastifyRequest, reply: FastifyReply, body: () => unknown): Promise<FastifyReply> => {
    const exchange = exchangeOf(request)
    exchange.reason = 'grant'
    await options.beforeHandOut(exchange, identityOf(request), true)
    await options.commitAudit(exchange, 200)
    return sendJson(reply, 200, body())
  }

  const acquire = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    refuseTokenInForm(request)
    refuseOtherSites(request, options.trustsOrigin)
    const acquired = await forCaller(request, (scope, context) =>
      sessions.acquire(scope, request.headers['user-agent'], context),
    )
    exchangeOf(request).lookerUserId = acquired.lookerUserId
    return handOut(request, reply, () => ({
      ...written('authentication_token', acquired.authentication),
      ...writtenTokens(acquired),
    }))
  }

  const generate = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const tokens = pageTokensOf(request.body)
    const generated = await forCaller(request, (scope, context) =>
      sessions.generate(scope, tokens, request.headers['user-agent'], context),
    )
    if (generated !== 'over') exchangeOf(request).lookerUserId = generated.lookerUserId
    return handOut(request, reply, () => {
      const body = generated === 'over' ? OVER : writtenTokens(generated)
      // Less than a second is no time to do anything with.
      return body.session_reference_token_ttl === 0 ? OVER : body
    })
  }

  await guarded.register(async scope => {
    // Read as text and taken apart below: what is no JSON is for the endpoint to refuse, in its own words.
    scope.addContentTypeParser('application/json', async (request: FastifyRequest) =>
      (await bodyOf(request)).toString(),
    )
    // HEAD would begin a session for nobody.
    scope.route({ method: ['GET', 'POST'], url: '/looker/embed/session', exposeHeadRoute: false, handler: acquire })
    scope.route({ method: ['PUT', 'POST'], url: '/looker/embed/tokens', handler: generate })
    scope.delete('/looker/embed/session', async (request, reply) => {
      refuseTokenInForm(request)
      const person = options.personOf(identityOf(request))
      exchangeOf(request).lookerUserId = await askFor(request, person, ({ externalUserId }, context) =>
        sessions.end(externalUserId, context),
      )
      return reply.code(204).header('cache-control', 'no-store').send()
    })
    scope.get('/looker/embed/url', { exposeHeadRoute: false }, async (request, reply) => {
      refuseOtherSites(request, options.trustsOrigin)
      const query = exchangeOf(request).target?.query ?? ''
      const { url, lookerUserId } = await forCaller(request, (scope, context) =>
        options.urls.sign(scope, readEmbedTarget(query, scope, options), context),
      )
      exchangeOf(request).lookerUserId = lookerUserId
      return handOut(request, reply, () => ({ url: url.reveal() }))
    })
  })
}

/**
 * The Embed SDK asks with a plain GET, which browsers send with the cookie for any page (a link; an image of a page on a
 * sibling domain). That page cannot read the answer, but each request makes Looker work, and Looker is paid by the call.
 * A browser too old for Sec-Fetch-Site says nothing and is served: it costs a call, and nobody gets to see anything.
 */
function refuseOtherSites(request: FastifyRequest, trustsOrigin: (origin: string) => boolean): void {
  const { origin, 'sec-fetch-site': site } = request.headers
  if (exchangeOf(request).sessionId === undefined || site === undefined) return
  if (site === 'same-origin' || site === 'none') return
  if (origin === undefined || !trustsOrigin(origin)) throw new Refusal({ kind: 'other-origin' })
}

function pageTokensOf(body: unknown): { apiToken: Secret; navigationToken: Secret } {
  const { api_token: api, navigation_token: navigation } = (typeof body === 'string' ? parse(body) : undefined) ?? {}
  if (typeof api !== 'string' || api === '' || typeof navigation !== 'string' || navigation === '') {
    throw new Refusal({ kind: 'bad-request', detail: 'send JSON: {"api_token": "…", "navigation_token": "…"}' })
  }
  return { apiToken: new Secret(api), navigationToken: new Secret(navigation) }
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return undefined
  }
}
