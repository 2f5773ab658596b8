import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Refusal } from '../../core/failure.ts'
import type { Sessions } from '../../identity/session.ts'
import type { PendingSignIn, SignIn } from '../../identity/sign-in.ts'
import type { Cookies } from '../cookies.ts'
import { type Exchange, exchangeOf } from '../exchange.ts'
import { type Page, pageOf, showProblemsAsPages } from '../pages.ts'
import { safeReturnTo } from '../return-to.ts'

export interface LoginOptions {
  readonly prefix: string
  /** The host that people see. */
  readonly site: string
  readonly cookies: Cookies
  readonly signIn: Pick<SignIn, 'issuers' | 'begin' | 'resume'>
  readonly sessions: Pick<Sessions, 'begin' | 'find' | 'replace'>
  /** Refuses where the request could not be audited. */
  ensureAudit(): void
  commitAudit(exchange: Exchange, status: number): Promise<void>
  /** Logs what the caller is not told. */
  report(exchange: Exchange, error: unknown): void
}

/** The addresses of a sign-in have codes in them, and lead to what no cache may keep. */
const PRIVATE = { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' }

/** `GET /login` and `GET /callback`: a browser to the issuer and back, with a session. */
export async function loginRoutes(scope: FastifyInstance, options: LoginOptions): Promise<void> {
  const { prefix, site, cookies, signIn, sessions } = options
  const wishes = new WeakMap<FastifyRequest, string>()
  const loginUrl = (returnTo: string, issuer?: string): string => {
    const query = new URLSearchParams({
      ...(returnTo === '/' ? {} : { return_to: returnTo }),
      ...(issuer === undefined ? {} : { issuer }),
    })
    return `${prefix}/login${query.size === 0 ? '' : `?${query.toString()}`}`
  }
  showProblemsAsPages(scope, site, request => [{ href: loginUrl(wishes.get(request) ?? '/'), label: 'Sign in again' }])

  scope.get('/login', { exposeHeadRoute: false }, async (request, reply) => {
    const exchange = exchangeOf(request)
    options.ensureAudit()
    reply.headers(PRIVATE)
    const query = new URLSearchParams(exchange.target?.query)
    const returnTo = safeReturnTo(only(query, 'return_to'), prefix)
    wishes.set(request, returnTo)
    const issuer = query.has('issuer') ? only(query, 'issuer') : onlyOf(signIn.issuers)
    if (issuer === undefined) {
      exchange.reason = 'choice'
      return pageOf(
        reply,
        choice(signIn.issuers, name => loginUrl(returnTo, name)),
        site,
      )
    }
    if (!signIn.issuers.includes(issuer)) {
      throw new Refusal({
        kind: 'bad-request',
        detail: 'Nobody signs in here with the identity provider of that name.',
      })
    }
    const { secret, setCookie } = cookies.browserSecret(request.headers.cookie)
    const location = await signIn.begin({ issuer, returnTo, browserSecret: secret })
    exchange.reason = 'sign-in-begun'
    return reply.code(302).headers({ location, 'set-cookie': setCookie }).send()
  })

  scope.get('/callback', { exposeHeadRoute: false }, async (request, reply) => {
    const exchange = exchangeOf(request)
    options.ensureAudit()
    reply.headers(PRIVATE)
    const secrets = cookies.browserSecrets(request.headers.cookie)
    const pending = await signIn.resume(exchange.target?.query ?? '', secrets)
    wishes.set(request, pending.returnTo)
    const id = await sessions.begin(await finish(pending, exchange))
    exchange.identity = await sessions.find(id)
    exchange.reason = 'signed-in'
    await options.commitAudit(exchange, 302)
    await endFormer(exchange)
    return reply
      .code(302)
      .headers({ location: pending.returnTo, 'set-cookie': cookies.setSession(id) })
      .send()
  })

  /** What an issuer said that could not be believed is for the log, whoever is to blame for it. */
  const finish = (pending: PendingSignIn, exchange: Exchange): ReturnType<PendingSignIn['finish']> =>
    pending.finish().catch((error: unknown) => {
      if (error instanceof Refusal && error.failure.kind === 'sign-in-failed' && error.cause !== undefined) {
        options.report(exchange, error)
      }
      throw error
    })

  /** The session this browser had until now: nobody may go on with its id, wherever they have it from. */
  const endFormer = async (exchange: Exchange): Promise<void> => {
    const former = exchange.headers?.session
    if (former === undefined) return
    // The person is signed in already; a former session that cannot be ended now runs into its limits.
    await sessions.replace(former, exchange.identity).catch((error: unknown) => options.report(exchange, error))
  }
}

function choice(issuers: readonly string[], href: (issuer: string) => string): Page {
  return {
    title: 'Sign in',
    text: 'Choose where your account is.',
    links: issuers.map(name => ({ href: href(name), label: name })),
  }
}

/** A parameter that is there once (RFC 6749 §3.1). */
function only(query: URLSearchParams, name: string): string | undefined {
  return onlyOf(query.getAll(name))
}

function onlyOf<T>(values: readonly T[]): T | undefined {
  return values.length === 1 ? values[0] : undefined
}
