import type { Clock } from '../core/clock.ts'
import { type Failure, Refusal } from '../core/failure.ts'
import type { Secret } from '../core/secret.ts'
import { within } from '../core/within.ts'
import { alone } from './alone.ts'
import type { CallContext, LookerClient } from './client.ts'
import type { Limiter } from './limiter.ts'
import { createOAuthApplications, type OAuthReport } from './oauth-applications.ts'
import type { LookerVault, Place } from './vault.ts'
import { withoutWords } from './without-words.ts'

const OPERATION = 'create_oauth_application_user_state'
/** Nobody waits longer than this for their tokens to be at Looker: without them it asks for a sign-in of its own. */
const WAIT_MILLISECONDS = 5_000
const CALL_SECONDS = 10
/** What Looker refused it would refuse again; a Looker that was away is soon back. */
const REFUSED_MILLISECONDS = 10 * 60_000
const AWAY_MILLISECONDS = 30_000
/** The same trouble of many people is told this often. */
const TELL_AGAIN_MILLISECONDS = 60_000
/** Past the end of most sessions; a note that is gone costs one call. */
const NOTE_MILLISECONDS = 30 * 24 * 3_600_000
/** The API description has it among the answers, and no operation that would replace what is there. */
const ALREADY_THERE = 409
const NEVER = Number.POSITIVE_INFINITY

/** What an issuer gave a person for a database. Times are milliseconds since the epoch, counted from before it was asked. */
export interface PersonTokens {
  readonly accessToken: Secret
  readonly expiresAt: number
  readonly refreshToken: Secret | undefined
  /** Undefined: the issuer does not say. */
  readonly refreshExpiresAt: number | undefined
  readonly obtainedAt: number
}

export interface OAuthPerson {
  /** Name or id of the OAuth application at Looker. */
  readonly application: string
  readonly externalUserId: string
  /** Undefined: the user whose tokens were put there before, if there is one. */
  readonly lookerUserId: string | undefined
  /** Undefined where there are none that Looker could use. */
  tokens(): Promise<PersonTokens | undefined>
}

/** The tokens of people's own at Looker, with which it reaches a database in their name and without another sign-in. */
export interface OAuthStates {
  /**
   * Sees to it that Looker has the person's tokens. Resolves when it has, when it turned out that it cannot have them (which is
   * reported), or after 5 s; the work goes on then. Never rejects. Nothing to wait for: undefined.
   * @param key the same object exactly as long as the tokens are the same: what was done for it is not looked at again.
   */
  ensure(key: object, person: OAuthPerson, context: CallContext): Promise<void> | undefined
}

export interface OAuthStatesDeps {
  readonly looker: LookerClient
  readonly vault: LookerVault
  readonly limiter: Limiter
  readonly clock: Clock
  /** How long to wait for another replica that is at work on the same person. */
  readonly waitSeconds: number
  readonly report: OAuthReport
}

/** What was done for some tokens, or is being done. */
interface Attempt {
  readonly lookerUserId: string | undefined
  /** Undefined once it is over. */
  work: Promise<void> | undefined
  /** When there is something to do again. */
  againAt: number
}

/** Which tokens Looker has. */
interface Note {
  readonly lookerUserId: string
  readonly obtainedAt: number
}

export function createOAuthStates(deps: OAuthStatesDeps): OAuthStates {
  const { looker, vault, limiter, clock, report } = deps
  const applications = createOAuthApplications(deps)
  const attempts = new WeakMap<object, Attempt>()
  const toldAt = new Map<string, number>()

  const put = async (lookerUserId: string, applicationId: string, tokens: PersonTokens, context: CallContext) => {
    const body = {
      user_id: lookerUserId,
      oauth_application_id: applicationId,
      access_token: tokens.accessToken.reveal(),
      access_token_expires_at: wholeSecond(tokens.expiresAt),
      ...(tokens.refreshToken === undefined ? {} : { refresh_token: tokens.refreshToken.reveal() }),
      ...(tokens.refreshExpiresAt === undefined
        ? {}
        : { refresh_token_expires_at: wholeSecond(tokens.refreshExpiresAt) }),
    }
    try {
      await looker.call(OPERATION, (sdk, options) => sdk.create_oauth_application_user_state(body, options), {
        ...context,
        timeoutSeconds: CALL_SECONDS,
      })
    } catch (error) {
      throw withoutWords(OPERATION, error)
    }
  }

  /** Says when there is something to do for these tokens again. */
  const bring = async (person: OAuthPerson, context: CallContext): Promise<number> => {
    const tokens = await person.tokens()
    if (tokens === undefined) return NEVER
    const applicationId = await applications.idOf(person.application, context)
    if (applicationId === undefined) return clock.now() + AWAY_MILLISECONDS
    const place: Place = { kind: 'oauth-state', owner: `${applicationId} ${person.externalUserId}` }
    const run = <R>(task: () => Promise<R>): Promise<R> => limiter.run(task)
    const work = async (): Promise<number> => {
      const known = await vault.read(place, parseNote)
      const lookerUserId = person.lookerUserId ?? known?.lookerUserId
      // Nothing of Looker's was asked for yet.
      if (lookerUserId === undefined) return NEVER
      // One person may have several sessions, and Looker has one place for the tokens of all: the youngest stay there.
      if (known?.lookerUserId === lookerUserId && known.obtainedAt >= tokens.obtainedAt) return NEVER
      await put(lookerUserId, applicationId, tokens, context)
      await vault.write(place, { lookerUserId, obtainedAt: tokens.obtainedAt } satisfies Note, NOTE_MILLISECONDS)
      return NEVER
    }
    return alone(deps, place, work, run)
  }

  /** Says when to try these tokens again. */
  const tell = (error: unknown, application: string): number => {
    const failure = error instanceof Refusal ? error.failure : undefined
    const refused = failure?.kind === 'looker-refused'
    if (refused) applications.forget(application)
    const now = clock.now()
    const trouble = `${application} ${JSON.stringify(failure)}`
    if (now - (toldAt.get(trouble) ?? -NEVER) >= TELL_AGAIN_MILLISECONDS) {
      toldAt.set(trouble, now)
      report('warn', 'a person’s tokens could not be put into Looker, which will ask them to sign in once more', {
        application,
        ...(failure === undefined ? { err: error } : { failure }),
        remedy: remedyOf(failure),
      })
    }
    if (!refused) return now + AWAY_MILLISECONDS
    return failure.status === ALREADY_THERE ? NEVER : now + REFUSED_MILLISECONDS
  }

  const begin = (person: OAuthPerson, context: CallContext): Attempt => {
    const attempt: Attempt = { lookerUserId: person.lookerUserId, work: undefined, againAt: NEVER }
    attempt.work = bring(person, context)
      .catch((error: unknown) => tell(error, person.application))
      .then(againAt => {
        attempt.againAt = againAt
        return void (attempt.work = undefined)
      })
    return attempt
  }

  return {
    ensure(key, person, context) {
      const known = attempts.get(key)
      // A refresh knows no Looker user: whoever comes with one looks once more.
      const covers = known?.lookerUserId === person.lookerUserId && clock.now() < (known?.againAt ?? 0)
      const attempt = known !== undefined && covers ? known : begin(person, context)
      attempts.set(key, attempt)
      return attempt.work && within(WAIT_MILLISECONDS, attempt.work, undefined)
    },
  }
}

/** Not later than it is: parts of a second are left off. */
function wholeSecond(milliseconds: number): Date {
  return new Date(Math.floor(milliseconds / 1000) * 1000)
}

function remedyOf(failure: Failure | undefined): string {
  if (failure?.kind !== 'looker-refused') return 'none is needed where this passes: it is tried again'
  if (failure.operation === 'login') return 'mend looker.clientId and looker.clientSecret'
  if (failure.status === 403 || failure.status === 404) {
    return 'give looker.clientId the rights of an admin, and lookerOAuth.application an application that Looker has'
  }
  if (failure.status === ALREADY_THERE)
    return 'Looker keeps the tokens that it has; they serve for as long as it can refresh them'
  return 'let the OAuth application at Looker have the same client id as issuers[].login'
}

function parseNote(value: unknown): Note | undefined {
  const { lookerUserId, obtainedAt } = value as Record<string, unknown>
  if (typeof lookerUserId !== 'string' || typeof obtainedAt !== 'number') return undefined
  return { lookerUserId, obtainedAt }
}
