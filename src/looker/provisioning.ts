import type { Clock } from '../core/clock.ts'
import { Refusal } from '../core/failure.ts'
import type { LookerScope } from '../core/looker-scope.ts'
import { alone } from './alone.ts'
import type { CallContext, LookerClient } from './client.ts'
import { acquireSession } from './embed-acquire.ts'
import { explainRefusal, findUser } from './users.ts'
import type { LookerVault, Place } from './vault.ts'

/** The session that comes with provisioning is used by nobody; it is as short as Looker's default. */
const SESSION_SECONDS = 300
/** That a scope was applied is remembered as long as the longest embed session lives. */
const APPLIED_MILLISECONDS = 30 * 24 * 3_600_000
/** A user found disabled at Looker is not asked for again for this long. */
const DISABLED_MILLISECONDS = 60_000
/** Looker takes a signed URL within five minutes of its own time, which may differ from ours. */
const SIGNED_URL_MILLISECONDS = 10 * 60_000

interface Applying<T> {
  readonly lookerUserId: string
  readonly begun: T
}

/**
 * Makes a person's Looker user have a scope, and remembers that it does.
 *
 * An embed user's permissions, models, groups and attributes are set by acquiring a cookieless session, which creates or
 * updates the user and ends the embed session the person has. So it is done once for a scope, and by one at a time:
 * a token and an embed session are often asked for in the same moment, and the one would end the session of the other.
 */
export interface Provisioning {
  /**
   * The id of the Looker user that has exactly this scope; undefined where it has to be applied.
   * @throws {Refusal} `looker-user-disabled` where that was found out a moment ago.
   */
  appliedTo(scope: LookerScope): Promise<string | undefined>
  /**
   * Applies the scope unless it is applied by now, and says the user's id.
   * @param gone a user id that was remembered and turned out not to serve.
   * @throws {Refusal} `looker-user-disabled`, `looker-refused`, `looker-unavailable`, `overloaded`.
   */
  provision(scope: LookerScope, context: CallContext, gone?: string): Promise<string>
  /** Applies the scope by `begin`, which acquires a session for it. Throws as `provision` does. */
  applyBy<T>(scope: LookerScope, context: CallContext, begin: () => Promise<T>): Promise<Applying<T>>
  /** Takes note of a signed URL, which applies the scope whenever it is opened. */
  noteSignedUrl(scope: LookerScope): Promise<void>
}

export interface ProvisioningDeps {
  readonly looker: LookerClient
  readonly vault: LookerVault
  readonly clock: Clock
  /** How long to wait for another replica that is at work on the same person. */
  readonly waitSeconds: number
  readonly embedDomain: string
}

/** Called when the user has another scope than it had. */
type Changed = (scope: LookerScope) => Promise<void>

interface Applied {
  readonly lookerUserId: string
  readonly fingerprint: string
  readonly disabledUntil: number
  /** Until when a signed URL of this scope may be opened; 0: there is none. */
  readonly signedUntil: number
  /** When this scope has to be applied again, because a signed URL of another may be opened until then; 0: never. */
  readonly againAt: number
}

export function createProvisioning(deps: ProvisioningDeps, changed: Changed = () => Promise.resolve()): Provisioning {
  const { looker, vault, clock } = deps
  const placeOf = (scope: LookerScope): Place => ({ kind: 'looker-user', owner: scope.externalUserId })
  const read = (scope: LookerScope): Promise<Applied | undefined> => vault.read(placeOf(scope), parseApplied)
  const write = (scope: LookerScope, applied: Applied, ttlMilliseconds = APPLIED_MILLISECONDS): Promise<void> =>
    vault.write(placeOf(scope), applied, ttlMilliseconds)

  const fitting = (applied: Applied | undefined, scope: LookerScope): string | undefined => {
    if (applied === undefined) return undefined
    const { lookerUserId, disabledUntil, againAt } = applied
    if (disabledUntil > clock.now()) throw new Refusal({ kind: 'looker-user-disabled', lookerUserId })
    const lapsed = againAt !== 0 && againAt <= clock.now()
    return applied.fingerprint === scope.fingerprint && !lapsed ? lookerUserId : undefined
  }

  const apply = async <T>(
    scope: LookerScope,
    before: Applied | undefined,
    context: CallContext,
    begin: () => Promise<T>,
  ): Promise<Applying<T>> => {
    try {
      // Before acquire, because acquiring a session could wake a user whom an administrator has disabled.
      const known = await findUser(looker, scope.externalUserId, context)
      const begun = await explainRefusal('acquire_embed_cookieless_session', begin)
      const lookerUserId = known ?? (await findUser(looker, scope.externalUserId, context))
      if (lookerUserId === undefined) {
        throw new Refusal({
          kind: 'looker-refused',
          operation: 'user_for_credential',
          status: 404,
          message: 'the user that was just provisioned is not there',
        })
      }
      await write(scope, { lookerUserId, disabledUntil: 0, ...outstanding(scope, before, clock.now()) })
      if (before !== undefined && before.fingerprint !== scope.fingerprint) await changed(scope)
      return { lookerUserId, begun }
    } catch (error) {
      if (error instanceof Refusal && error.failure.kind === 'looker-user-disabled') {
        const { lookerUserId } = error.failure
        const disabledUntil = clock.now() + DISABLED_MILLISECONDS
        const disabled = { lookerUserId, fingerprint: '', disabledUntil, signedUntil: 0, againAt: 0 }
        await write(scope, disabled, DISABLED_MILLISECONDS)
      }
      throw error
    }
  }

  return {
    appliedTo: async scope => fitting(await read(scope), scope),
    provision: (scope, context, gone) =>
      alone(deps, placeOf(scope), async () => {
        const before = await read(scope)
        const applied = fitting(before, scope)
        if (applied !== undefined && applied !== gone) return applied
        const options = { embedDomain: deps.embedDomain, sessionSeconds: SESSION_SECONDS }
        const begin = () => acquireSession(looker, clock, scope, options, context)
        return (await apply(scope, before, context, begin)).lookerUserId
      }),
    applyBy: (scope, context, begin) =>
      alone(deps, placeOf(scope), async () => apply(scope, await read(scope), context, begin)),
    async noteSignedUrl(scope) {
      const applied = await read(scope)
      if (applied === undefined) return
      const until = clock.now() + SIGNED_URL_MILLISECONDS
      // Without a lease: whoever applies another scope in this very moment is only not told of this one URL.
      await write(
        scope,
        applied.fingerprint === scope.fingerprint ? { ...applied, signedUntil: until } : { ...applied, againAt: until },
      )
    },
  }
}

/**
 * A signed URL brings its scope back when it is opened. Somebody whose grant was cut could hold one back, open it after
 * the new scope was applied, and have the old one for as long as the new one counts as applied.
 */
function outstanding(
  { fingerprint }: LookerScope,
  before: Applied | undefined,
  now: number,
): Pick<Applied, 'fingerprint' | 'signedUntil' | 'againAt'> {
  if (before === undefined) return { fingerprint, signedUntil: 0, againAt: 0 }
  const same = before.fingerprint === fingerprint
  const againAt = Math.max(before.againAt, same ? 0 : before.signedUntil)
  return { fingerprint, signedUntil: same ? before.signedUntil : 0, againAt: againAt > now ? againAt : 0 }
}

function parseApplied(value: unknown): Applied | undefined {
  const { lookerUserId, fingerprint, disabledUntil, signedUntil = 0, againAt = 0 } = value as Record<string, unknown>
  if (typeof lookerUserId !== 'string' || typeof fingerprint !== 'string') return undefined
  if (typeof disabledUntil !== 'number' || typeof signedUntil !== 'number' || typeof againAt !== 'number')
    return undefined
  return { lookerUserId, fingerprint, disabledUntil, signedUntil, againAt }
}
