import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Refusal } from '../core/failure.ts'
import type { ClientAddress } from './client-address.ts'
import type { Route } from './exchange.ts'
import { createGuard, type GuardDeps } from './guard.ts'
import { wholeBody } from './request-body.ts'
import type { AppRouteOptions } from './routes/app.ts'
import { type BackchannelLogoutOptions, backchannelLogoutRoute } from './routes/backchannel-logout.ts'
import { checkRoute, judgeForwarded } from './routes/check.ts'
import { clientRoute } from './routes/client.ts'
import { type EmbedOptions, embedRoutes } from './routes/embed.ts'
import { jwksRoute } from './routes/jwks.ts'
import { type LoginOptions, loginRoutes } from './routes/login.ts'
import { type LogoutOptions, logoutRoutes } from './routes/logout.ts'
import { type LookerTokenOptions, lookerTokenRoute } from './routes/looker-token.ts'
import { type SessionOptions, sessionRoute } from './routes/session.ts'
import { type TokenExchangeOptions, tokenExchangeRoute } from './routes/token-exchange.ts'

export interface OwnEndpointsOptions {
  readonly clientAddress: ClientAddress
  /** Says to an app who is calling, signed; undefined while there is no key to sign with. */
  readonly assertion: { assert: AppRouteOptions['assert']; publicKeys(): unknown }
  readonly guard: Omit<GuardDeps, 'ruleFor'> & {
    /** The rule for a path of the app. */
    appRule: GuardDeps['ruleFor']
  }
  readonly tokenExchange: TokenExchangeOptions
  readonly lookerToken: LookerTokenOptions
  /** Where Looker's pages are, if not where its API is. */
  readonly lookerWebUrl?: string | undefined
  readonly session: SessionOptions
  readonly embed?: EmbedOptions
  /** Absent where nobody can sign in. */
  readonly signIn?: (LoginOptions & LogoutOptions & BackchannelLogoutOptions) | undefined
}

/** Bodies of Sallyport's own endpoints are short forms. */
const MAX_BODY_BYTES = 65_536

interface Endpoint {
  readonly path: string
  readonly route: Route
  readonly methods: readonly string[]
}

const ALWAYS: readonly Endpoint[] = [
  { path: '/token', route: 'token', methods: ['POST'] },
  { path: '/looker/token', route: 'looker_token', methods: ['POST', 'DELETE'] },
  { path: '/session', route: 'session', methods: ['GET', 'HEAD'] },
  { path: '/jwks.json', route: 'jwks', methods: ['GET', 'HEAD'] },
  { path: '/client.js', route: 'client', methods: ['GET', 'HEAD'] },
]
const EMBED: readonly Endpoint[] = [
  { path: '/looker/embed/session', route: 'embed_session', methods: ['GET', 'POST', 'DELETE'] },
  { path: '/looker/embed/tokens', route: 'embed_tokens', methods: ['PUT', 'POST'] },
  { path: '/looker/embed/url', route: 'embed_url', methods: ['GET'] },
]
const SIGN_IN: readonly Endpoint[] = [
  { path: '/login', route: 'login', methods: ['GET'] },
  { path: '/callback', route: 'callback', methods: ['GET'] },
  { path: '/logout', route: 'logout', methods: ['POST'] },
  { path: '/signed-out', route: 'signed_out', methods: ['GET', 'HEAD'] },
  { path: '/backchannel-logout', route: 'backchannel_logout', methods: ['POST'] },
]

/** Which endpoint a path below the prefix is, for audit lines and metrics; `other` for none. */
export function ownRoutes(options: OwnEndpointsOptions): (path: string) => Route {
  const routes = new Map(endpoints(options).map(({ path, route }) => [path, route]))
  return path => routes.get(path) ?? (path === '/check' || path.startsWith('/check/') ? 'check' : 'other')
}

function endpoints({ embed, signIn }: OwnEndpointsOptions): readonly Endpoint[] {
  return [...ALWAYS, ...(embed === undefined ? [] : EMBED), ...(signIn === undefined ? [] : SIGN_IN)]
}

const OWN_ENDPOINT = { name: 'endpoint', access: 'authenticated', admits: () => true } as const

/** Everything below the prefix. @param formMilliseconds how long a form may take to come in. */
export async function ownEndpoints(
  own: FastifyInstance,
  options: OwnEndpointsOptions,
  formMilliseconds: number,
): Promise<void> {
  const { signIn, guard } = options
  own.removeAllContentTypeParsers()
  const bodyOf = (request: FastifyRequest): Promise<Buffer> =>
    wholeBody(request.raw, { bytes: MAX_BODY_BYTES, milliseconds: formMilliseconds })
  own.addContentTypeParser('application/x-www-form-urlencoded', async (request: FastifyRequest) => {
    return new URLSearchParams((await bodyOf(request)).toString())
  })
  // Read, bounded, and of no use: what an endpoint makes of a body that is not a form is its own to say.
  own.addContentTypeParser('*', async (request: FastifyRequest) => {
    await bodyOf(request)
  })

  await own.register(scope => tokenExchangeRoute(scope, options.tokenExchange))
  await jwksRoute(own, options.assertion)
  await clientRoute(own, { lookerUrl: options.lookerWebUrl ?? options.lookerToken.lookerUrl })
  await own.register(async scope => {
    scope.addHook('onRequest', judgeForwarded(options.clientAddress.isTrusted))
    scope.addHook('onRequest', createGuard({ ...guard, ruleFor: guard.appRule }))
    await checkRoute(scope, options.assertion)
  })
  await own.register(async scope => {
    scope.addHook('onRequest', createGuard({ ...guard, ruleFor: () => OWN_ENDPOINT }))
    await lookerTokenRoute(scope, options.lookerToken)
    await sessionRoute(scope, options.session)
    if (options.embed !== undefined) await embedRoutes(scope, options.embed, bodyOf)
  })
  if (signIn !== undefined) {
    await own.register(scope => loginRoutes(scope, signIn))
    await own.register(scope => logoutRoutes(scope, signIn))
    await own.register(scope => backchannelLogoutRoute(scope, signIn))
  }
  for (const endpoint of endpoints(options)) refuseOtherMethods(own, endpoint)
  // The prefix is ours: what is not there is not the app's either.
  own.all('/*', notFound)
  own.all('/', notFound)
}

const ALL_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

function refuseOtherMethods(scope: FastifyInstance, { path, methods }: Endpoint): void {
  scope.route({
    url: path,
    method: ALL_METHODS.filter(method => !methods.includes(method)),
    handler: () => {
      throw new Refusal({ kind: 'method-not-allowed', allow: methods.join(', ') })
    },
  })
}

function notFound(): never {
  throw new Refusal({ kind: 'not-found' })
}
