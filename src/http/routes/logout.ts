import type { FastifyInstance } from 'fastify'
import { Refusal } from '../../core/failure.ts'
import type { Identity } from '../../core/identity.ts'
import type { Sessions } from '../../identity/session.ts'
import type { SignIn } from '../../identity/sign-in.ts'
import type { Cookies } from '../cookies.ts'
import { type Exchange, exchangeOf } from '../exchange.ts'
import { comesFromOurPage } from '../guard.ts'
import { pageOf, showProblemsAsPages } from '../pages.ts'

/** What ending a session takes, whoever asks for it. */
export interface SignOutOptions {
  ensureAudit(): void
  /**
   * Ends the person's token and embed session at Looker.
   * @throws {Refusal} `claim-missing` where there never was one.
   */
  dropLookerAccess(exchange: Exchange, identity: Identity): Promise<void>
  /** Logs what the caller is not told. */
  report(exchange: Exchange, error: unknown): void
}

export interface LogoutOptions extends SignOutOptions {
  readonly prefix: string
  /** The host that people see. */
  readonly site: string
  readonly cookies: Cookies
  readonly signIn: Pick<SignIn, 'endSessionUrl'>
  readonly sessions: Pick<Sessions, 'end'>
  /** Whether a page of this origin may act for the person whose cookie came along. */
  trustsOrigin(origin: string): boolean
}

/** `POST /logout`, here and at the issuer; and `GET /signed-out`, where that leads. */
export async function logoutRoutes(scope: FastifyInstance, options: LogoutOptions): Promise<void> {
  const { prefix, site, cookies, sessions, signIn } = options
  showProblemsAsPages(scope, site, () => [{ href: '/', label: 'Go back' }])

  // Without the guard: whoever has no session any more is signed out too.
  scope.post('/logout', async (request, reply) => {
    const exchange = exchangeOf(request)
    options.ensureAudit()
    const id = exchange.headers?.session
    // Nobody is signed out by a page of somebody else; who has no session has nothing to lose.
    const { headers } = request.raw
    if ((id !== undefined || headers.origin !== undefined) && !comesFromOurPage(headers, options.trustsOrigin)) {
      throw new Refusal({ kind: 'other-origin' })
    }
    // First of all, and before the cookie is gone: where the store is away the person can try again.
    const ended = id === undefined ? undefined : await sessions.end(id)
    exchange.reason = ended === undefined ? 'no-session' : 'signed-out'
    exchange.identity = ended?.identity
    if (ended !== undefined) await dropTokens(exchange, ended.identity, options)
    const elsewhere = ended && signIn.endSessionUrl(ended.issuer, ended.idToken)
    return reply
      .code(303)
      .headers({
        location: elsewhere ?? '/',
        'set-cookie': cookies.clearSession(),
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
      })
      .send()
  })

  scope.get('/signed-out', async (_request, reply) =>
    pageOf(
      reply,
      {
        title: 'You are signed out',
        text: 'Your session here has ended.',
        links: [{ href: `${prefix}/login`, label: 'Sign in again' }],
      },
      site,
    ),
  )
}

/** The session is over by now, and stays so: a Looker token that cannot be dropped lapses within the hour. */
export async function dropTokens(exchange: Exchange, identity: Identity, options: SignOutOptions): Promise<void> {
  try {
    await options.dropLookerAccess(exchange, identity)
  } catch (error) {
    const kind = error instanceof Refusal ? error.failure.kind : undefined
    if (kind !== 'claim-missing') options.report(exchange, error)
  }
}
