import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { CallRecorder } from '../call-recorder.ts'
import { originOf } from '../cors.ts'
import { beginEmbedSession } from '../embed-definition.ts'
import type { EmbedSession } from '../embed-sessions.ts'
import { badRequest, forbidden, LookerFailure, notFound } from '../failure.ts'
import { disturb } from '../fault-effects.ts'
import type { FaultSource } from '../faults.ts'
import type { Instance } from '../instance.ts'
import { cookieOf, setCookie } from './cookie.ts'
import { assets, framePage, frontPage, pageHeaders, refusalPage } from './pages.ts'

const LOGIN_PREFIX = '/login/embed/'

export interface EmbedParts {
  readonly instance: Instance
  readonly recorder: CallRecorder
  readonly faults: FaultSource
}

/** The pages that a browser opens in an iframe. */
export function addEmbedPages(app: FastifyInstance, { instance, recorder, faults }: EmbedParts): void {
  const { sessions, settings, signedUrls } = instance

  function requireAllowed(embedDomain: string): void {
    if (!settings.embed.domain_allowlist.includes(embedDomain)) {
      throw forbidden(`The embed domain ${embedDomain} is not in the allowlist`)
    }
  }
  /** A cookieless session goes on only where it was begun: in the same browser, in a page of the same domain. */
  function requireSame(session: EmbedSession, request: FastifyRequest, target: URL): void {
    if (session.userAgent !== request.headers['user-agent']) {
      throw badRequest('The User-Agent is not the one that the embed session was acquired with')
    }
    const embedDomain = target.searchParams.get('embed_domain')
    if (embedDomain === null) throw badRequest('embed_domain is missing')
    if (session.embedDomain !== undefined && session.embedDomain !== embedDomain) {
      throw forbidden(`The embed domain ${embedDomain} is not the one that the embed session was acquired for`)
    }
    requireAllowed(embedDomain)
  }

  function beginCookieless(request: FastifyRequest, token: string, target: URL): void {
    const session = sessions.redeem(token)
    if (session === undefined) throw badRequest('The embed authentication token is unknown, used up or expired')
    requireSame(session, request, target)
  }
  function beginSigned(request: FastifyRequest, reply: FastifyReply, url: URL, target: URL): void {
    if (!settings.embed.sso_auth_enabled) throw notFound()
    // As it was sent: URL would write some of it another way, and the signature is of what was sent.
    const [path = ''] = request.url.split('?', 1)
    const definition = signedUrls.redeem(request.host, path, url.searchParams)
    const embedDomain = target.searchParams.get('embed_domain')
    if (embedDomain !== null) requireAllowed(embedDomain)
    const userAgent = request.headers['user-agent'] ?? ''
    const session = beginEmbedSession(instance, definition.externalUserId, definition, userAgent)
    setCookie(reply, sessions.signIn(session))
  }

  void app.register((scope, _options, done) => {
    scope.setErrorHandler((error: unknown, _request, reply) => {
      const failure = error instanceof LookerFailure ? error : badRequest('Bad request')
      if (!(error instanceof LookerFailure)) console.error(error)
      return reply
        .code(failure.status)
        .headers({ ...pageHeaders(settings.embed.domain_allowlist), ...failure.headers })
        .send(refusalPage(failure.status, failure.message))
    })
    const open = (
      operation: string,
      url: string,
      recordedPath: string | undefined,
      answer: (request: FastifyRequest, reply: FastifyReply) => unknown,
    ): void => {
      const watch = recorder.hooks(operation, recordedPath)
      const page = async (_request: FastifyRequest, reply: FastifyReply): Promise<void> => {
        if (await disturb(faults, operation, reply)) return
        reply.headers(pageHeaders(settings.embed.domain_allowlist))
      }
      scope.get(url, { onRequest: [watch.onRequest, page], onSend: watch.onSend }, async (request, reply) =>
        reply.send(await answer(request, reply)),
      )
    }

    open('embed_login', `${LOGIN_PREFIX}*`, LOGIN_PREFIX, (request, reply) => {
      const url = new URL(request.url, originOf(request))
      const target = targetOf(url)
      const token = url.searchParams.get('embed_authentication_token')
      if (token === null) beginSigned(request, reply, url, target)
      else beginCookieless(request, token, target)
      reply.code(302).header('location', target.pathname + target.search)
      return ''
    })
    open('embed_page', '/embed/*', undefined, request => {
      const target = new URL(request.url, originOf(request))
      const token = target.searchParams.get('embed_navigation_token')
      const embedDomain = target.searchParams.get('embed_domain')
      if (token !== null) {
        const held = sessions.navigator(token)
        if (held === undefined) throw new LookerFailure(401, 'The embed navigation token is unknown or expired')
        requireSame(held.session, request, target)
        return framePage({ cookieless: true, embedDomain })
      }
      const cookie = cookieOf(request)
      if (cookie === undefined || sessions.caller(cookie) === undefined) {
        throw new LookerFailure(401, 'The browser has no session here; third-party cookies may be blocked')
      }
      if (embedDomain !== null) requireAllowed(embedDomain)
      return framePage({ cookieless: false, embedDomain })
    })
    open('embed_front', '/', undefined, frontPage)
    done()
  })

  app.get<{ Params: { name: string } }>('/assets/:name', (request, reply) => {
    const asset = assets.get(request.params.name)
    if (asset === undefined) throw notFound()
    return reply.header('cache-control', 'no-cache').type(asset.type).send(asset.body)
  })
}

/** The page that is wanted after the login: one of those to embed, here and nowhere else. */
function targetOf(url: URL): URL {
  const text = decodeURIComponent(url.pathname.slice(LOGIN_PREFIX.length))
  const target = new URL(text.startsWith('/') ? text : `/${text}`, url.origin)
  if (target.origin !== url.origin || !target.pathname.startsWith('/embed/')) {
    throw badRequest('What is to be embedded is not an embed path')
  }
  return target
}
