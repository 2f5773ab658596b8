import type { Clock } from '../core/clock.ts'
import { Refusal } from '../core/failure.ts'
import type { LookerScope } from '../core/looker-scope.ts'
import type { Secret } from '../core/secret.ts'
import { alone } from './alone.ts'
import type { CallContext, LookerClient } from './client.ts'
import { acquireSession, type EmbedAnswer, type EmbedToken, type EmbedTokens } from './embed-acquire.ts'
import { generateTokens, type PageTokens, patiently } from './embed-generate.ts'
import { browserOf, type EmbedSession, parseSession, serialiseSession } from './embed-record.ts'
import type { Limiter } from './limiter.ts'
import { createProvisioning } from './provisioning.ts'
import { forgetToken } from './token-broker.ts'
import { LookerAnswer } from './transport.ts'
import type { LookerLease, LookerVault, Place } from './vault.ts'
import { withoutWords } from './without-words.ts'

export interface RenewedSession extends EmbedTokens {
  readonly lookerUserId: string
}

/** What a page needs to load one iframe. */
export interface AcquiredSession extends RenewedSession {
  /** Single use: it starts the session in one iframe, so no two callers ever share it. */
  readonly authentication: EmbedToken
}

export interface EmbedSessions {
  /**
   * Joins the person's live session; begins one where there is none, where it is about to end, where it is another
   * browser's, or where the scope has changed since. One call at a time for a person, on all replicas together: whoever
   * comes while a session is being begun joins it.
   * @throws {Refusal} `looker-user-disabled`, `looker-refused`, `looker-unavailable`, `store-unavailable`, `overloaded`.
   */
  acquire(scope: LookerScope, userAgent: string | undefined, context: CallContext): Promise<AcquiredSession>
  /**
   * New tokens for a page that has some; `over` where it has to acquire again.
   * @throws {Refusal} `looker-refused` for what no other try would mend.
   */
  generate(
    scope: LookerScope,
    tokens: PageTokens,
    userAgent: string | undefined,
    context: CallContext,
  ): Promise<RenewedSession | 'over'>
  /**
   * Ends the person's session, at Looker too. Says whose it was: the Looker user id, if there was one.
   * @throws {Refusal} where Looker could not be told; here it is over all the same.
   */
  end(externalUserId: string, context: CallContext): Promise<string | undefined>
}

export interface EmbedSessionsDeps {
  readonly looker: LookerClient
  readonly vault: LookerVault
  readonly limiter: Limiter
  readonly singleFlight: (key: string, work: () => Promise<Flight>) => Promise<Flight>
  readonly clock: Clock
  /** How long a caller waits for others who are at work on the same person, and for a Looker that does not answer. */
  readonly waitSeconds: number
  readonly embedDomain: string
  readonly sessionLengthSeconds: number
  /** A session with less left than this is not joined any more. */
  readonly renewBeforeSeconds: number
  /** Hears of what failed without the caller being told. */
  readonly report: (what: string, error: unknown) => void
}

interface Flight {
  readonly ticket: object
  readonly acquired: AcquiredSession
}

export function createEmbedSessions(deps: EmbedSessionsDeps): EmbedSessions {
  const { looker, vault, limiter, clock, waitSeconds, embedDomain } = deps
  // A token that was made for another scope has the rights of this one now.
  const provisioning = createProvisioning(deps, scope => forgetToken(deps, scope))
  const placeOf = (owner: string): Place => ({ kind: 'embed-session', owner })

  const fits = (session: EmbedSession, scope: LookerScope, browser: string): boolean =>
    session.fingerprint === scope.fingerprint &&
    session.browser === browser &&
    session.expiresAt - clock.now() > deps.renewBeforeSeconds * 1000

  const ask = (scope: LookerScope, reference: Secret | undefined, context: CallContext): Promise<EmbedAnswer> => {
    const options = { embedDomain, sessionSeconds: deps.sessionLengthSeconds, reference }
    return acquireSession(looker, clock, scope, options, context)
  }

  /** Undefined where Looker has no such session any more. */
  const join = async (
    scope: LookerScope,
    session: EmbedSession,
    context: CallContext,
  ): Promise<EmbedAnswer | undefined> => {
    try {
      const answer = await ask(scope, session.reference, context)
      // With a reference that is over Looker begins another session without a word, and without a look at the user.
      return answer.reference.reveal() === session.reference.reveal() ? answer : undefined
    } catch (error) {
      if (error instanceof LookerAnswer) return undefined
      throw error
    }
  }

  const begin = async (
    scope: LookerScope,
    browser: string,
    lease: LookerLease,
    context: CallContext,
  ): Promise<AcquiredSession> => {
    const { lookerUserId, begun } = await provisioning.applyBy(scope, context, () => ask(scope, undefined, context))
    const { reference, sessionExpiresAt: expiresAt } = begun
    const session = { reference, lookerUserId, expiresAt, fingerprint: scope.fingerprint, browser }
    if (!(await lease.write(serialiseSession(session), expiresAt - clock.now()))) {
      // Ended, or leased anew, while Looker was asked: what was made under the old lease must not live. Whoever signed
      // out meanwhile is not given another; anybody else asks again.
      await remove(reference, context)
      throw new Refusal({ kind: 'overloaded', retryAfterSeconds: 1 })
    }
    return { ...begun, lookerUserId }
  }

  const acquireAlone = async (
    scope: LookerScope,
    browser: string,
    lease: LookerLease,
    context: CallContext,
  ): Promise<AcquiredSession> => {
    const [known, lookerUserId] = await Promise.all([
      vault.read(placeOf(scope.externalUserId), parseSession),
      provisioning.appliedTo(scope),
    ])
    if (known !== undefined && lookerUserId !== undefined && fits(known, scope, browser)) {
      const joined = await join(scope, known, context)
      if (joined !== undefined) return { ...joined, sessionExpiresAt: endOf(known, joined), lookerUserId }
    } else if (known !== undefined) {
      // Before the new one: what the person may no longer see is not to be seen, whatever becomes of the rest.
      // Where that fails, the new one ends the old one at Looker all the same.
      await remove(known.reference, context).catch((error: unknown) =>
        deps.report('end of an old embed session', error),
      )
    }
    return begin(scope, browser, lease, context)
  }

  const remove = async (reference: Secret, context: CallContext): Promise<void> => {
    // The SDK leaves parameters alone that look encoded, so the path is made here.
    const path = `/embed/cookieless_session/${encodeURIComponent(reference.reveal())}`
    const operation = 'delete_embed_cookieless_session'
    try {
      await looker.call(operation, (sdk, options) => sdk.delete<void, unknown>(path, null, null, options), context)
    } catch (error) {
      if (!(error instanceof LookerAnswer) || error.status !== 404) throw withoutWords(operation, error)
    }
  }

  return {
    async acquire(scope, userAgent, { requestId }) {
      const context = { requestId, userAgent }
      const ticket = {}
      const place = placeOf(scope.externalUserId)
      const run = <R>(task: () => Promise<R>): Promise<R> => limiter.run(task)
      const until = performance.now() + waitSeconds * 1000
      // Those of one process queue here and not at the store. Each gets a flight of its own in the end.
      for (;;) {
        const flight = await deps.singleFlight(scope.externalUserId, async () => {
          const work = (lease: LookerLease) => acquireAlone(scope, browserOf(userAgent), lease, context)
          return { ticket, acquired: await alone(deps, place, work, run) }
        })
        if (flight.ticket === ticket) return flight.acquired
        if (performance.now() >= until) throw new Refusal({ kind: 'overloaded', retryAfterSeconds: 2 })
      }
    },

    async generate(scope, tokens, userAgent, { requestId }) {
      try {
        return await patiently(waitSeconds, async timeoutSeconds => {
          const known = await vault.read(placeOf(scope.externalUserId), parseSession)
          // A page of another browser, or of the grant before, has no tokens of this session: it has to acquire again.
          if (known === undefined || known.fingerprint !== scope.fingerprint) return 'over'
          if (known.browser !== browserOf(userAgent) || known.expiresAt <= clock.now()) return 'over'
          const context = { requestId, userAgent, timeoutSeconds }
          const { reference, lookerUserId } = known
          const answer = await limiter.run(() => generateTokens(looker, clock, { reference, tokens }, context))
          return answer === 'over' ? answer : { ...answer, sessionExpiresAt: endOf(known, answer), lookerUserId }
        })
      } catch (error) {
        if (!(error instanceof Refusal) || error.failure.kind === 'looker-refused') throw error
        // A page of Embed SDK 2.0.8 that is told of a failure never asks again. Told that its session is over it begins
        // anew, which works as soon as Looker does: the session is still there to be joined.
        deps.report('renewal of the tokens of an embed session', error)
        return 'over'
      }
    },

    async end(externalUserId, context) {
      const place = placeOf(externalUserId)
      // Even where there is none: it voids the lease of a session that is just being begun.
      const removed = await vault.remove(place, parseSession)
      await Promise.all(removed.map(({ reference }) => remove(reference, context)))
      return removed[0]?.lookerUserId
    },
  }
}

/** Looker rounds down to whole seconds; our own time is the finer one, unless Looker cut the session short. */
function endOf(known: EmbedSession, { sessionExpiresAt }: EmbedTokens): number {
  return Math.min(known.expiresAt, sessionExpiresAt + 1000)
}
