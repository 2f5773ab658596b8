import type { Clock } from '../core/clock.ts'
import type { CallContext, LookerClient } from './client.ts'
import type { Limiter } from './limiter.ts'
import { explainRefusal } from './users.ts'

/** A name that Looker does not know is looked for again after this long: somebody may have mended it there. */
const UNKNOWN_MILLISECONDS = 5 * 60_000

/** Hears of what the person is not told, with what to do about it. */
export type OAuthReport = (level: 'warn' | 'error', message: string, facts: Readonly<Record<string, unknown>>) => void

/** The OAuth applications with which Looker reaches databases in a person's own name. */
export interface OAuthApplications {
  /**
   * The id of the application with this name; a number is one. Looker is asked once.
   * @returns undefined where there is no such application, or more than one: that was reported.
   * @throws {Refusal} where Looker could not be asked.
   */
  idOf(nameOrId: string, context: CallContext): Promise<string | undefined>
  /** Asks again next time: the application may have been made anew, with another id. */
  forget(nameOrId: string): void
}

export interface OAuthApplicationsDeps {
  readonly looker: LookerClient
  readonly limiter: Limiter
  readonly clock: Clock
  readonly report: OAuthReport
}

interface Lookup {
  readonly id: Promise<string | undefined>
  until: number
}

export function createOAuthApplications(deps: OAuthApplicationsDeps): OAuthApplications {
  const { looker, limiter, clock, report } = deps
  const lookups = new Map<string, Lookup>()

  const look = async (name: string, context: CallContext): Promise<string | undefined> => {
    const operation = 'all_external_oauth_applications'
    const applications = await limiter.run(() =>
      explainRefusal(operation, () =>
        looker.call(operation, (sdk, options) => sdk.all_external_oauth_applications({ name }, options), context),
      ),
    )
    const [id, ...more] = applications
      .filter(application => application.name === name)
      .map(application => application.id)
    if (typeof id === 'string' && more.length === 0) return id
    const trouble = more.length > 0 ? 'several OAuth applications' : 'no OAuth application'
    report(
      'error',
      `Looker has ${trouble} of the name in lookerOAuth.application, so nobody’s tokens are put there; write the name as ` +
        'GET /external_oauth_applications of the Looker API lists it, or the id',
      { application: name },
    )
    return undefined
  }

  const ask = (name: string, context: CallContext): Lookup => {
    const lookup: Lookup = { id: look(name, context), until: Number.POSITIVE_INFINITY }
    const keepFor = (milliseconds: number): void => void (lookup.until = clock.now() + milliseconds)
    lookup.id.then(
      id => keepFor(id === undefined ? UNKNOWN_MILLISECONDS : Number.POSITIVE_INFINITY),
      () => keepFor(0),
    )
    lookups.set(name, lookup)
    return lookup
  }

  return {
    async idOf(nameOrId, context) {
      if (/^\d+$/.test(nameOrId)) return nameOrId
      const known = lookups.get(nameOrId)
      return (known !== undefined && clock.now() < known.until ? known : ask(nameOrId, context)).id
    },
    forget: nameOrId => void lookups.delete(nameOrId),
  }
}
