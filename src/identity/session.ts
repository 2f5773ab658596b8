import { randomBytes } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import type { Claims, Identity } from '../core/identity.ts'
import type { Secret } from '../core/secret.ts'
import { within } from '../core/within.ts'
import { createSessionArchive } from './session-archive.ts'
import { createSessionMemory, type RememberedSession } from './session-memory.ts'
import {
  newRecord,
  refreshPlace,
  replacedPlace,
  type SessionRecord,
  type SessionVault,
  type SignedIn,
  sessionPlace,
  type TokensForLooker,
  tokensForLooker,
} from './session-record.ts'
import { createSessionRefresh } from './session-refresh.ts'
import { createSignOuts, type SignedOut } from './session-sign-out.ts'
import { createSessionWatch } from './session-watch.ts'

export type { SignedIn, TokensForLooker } from './session-record.ts'

const ID = /^[\w-]{43}$/

/** A session in memory is looked up in the store again after this long, in case an announcement was lost. */
const TRUST_MEMORY_MILLISECONDS = 5_000
/** A watched session is looked up this much sooner: the watch itself comes round once a second. */
const WATCH_EARLIER_MILLISECONDS = 1_500
/** A look that an announcement fell into is repeated; past this the session is looked up again at its next use, at once. */
const MAX_LOOKS = 3
/** Without the store, a session goes on for this long after the store last had it. */
const OUTAGE_MILLISECONDS = 60_000
const OUTAGE_LOOK_MILLISECONDS = 1_000
/** Refresh begins at 80 % of the access token's life, less up to this part, so that sessions do not all begin together. */
const REFRESH_AT = 0.8
const REFRESH_JITTER = 0.05
const SHORTEST_LIFE_MILLISECONDS = 5_000
const FIRST_RETRY_MILLISECONDS = 5_000
const LAST_RETRY_MILLISECONDS = 60_000
/** Who waits for a refresh waits no longer than this, and is served as they were. */
const WAIT_FOR_REFRESH_MILLISECONDS = 11_000
/** Longer than any request waits for Looker. */
const KNOW_REPLACED_MILLISECONDS = 120_000

export interface EndedSession {
  readonly identity: Identity
  readonly issuer: string
  readonly idToken: Secret
}

export interface Sessions {
  /** A new session; resolves with its id: the value of the cookie (32 random bytes, base64url). */
  begin(signedIn: SignedIn): Promise<string>
  /**
   * Whose session it is; undefined where there is none (any more). At once where it was looked up within 5 s. Each look
   * into the store starts the idle time anew. The same object for as long as the session has the same tokens.
   * @throws {Refusal} (rejects with it) `store-unavailable` where it cannot be told. Never for a malformed id.
   */
  find(id: string): Identity | undefined | Promise<Identity | undefined>
  /** As `find`, but looks into the store however short ago that was: an announcement may be lost. */
  confirm(id: string): Promise<Identity | undefined>
  /**
   * The tokens that Looker is to have, as they are now; undefined where it is to have none.
   * @throws {Refusal} (rejects with it) `store-unavailable`.
   */
  tokensOf(id: string): Promise<TokensForLooker | undefined>
  /** Ends a session on every replica. Undefined where there was none. */
  end(id: string): Promise<EndedSession | undefined>
  /** Ends the session that the browser of somebody had who has just signed in. */
  replace(id: string, by: Identity | undefined): Promise<void>
  /** Whether the session was ended a moment ago because the same person signed in anew: nobody signed out. */
  wasReplaced(id: string): Promise<boolean>
  /** Ends every session of the subject, or of the issuer's session id. Resolves with the person as last seen, if known. */
  endOf(issuer: string, who: SignedOut): Promise<Identity | undefined>
  /**
   * Calls `ended` once when the session is over, at most 5 s late. To be watched is to be in use: only the absolute
   * limit ends it then. Returns a function that stops watching.
   */
  watch(id: string, ended: () => void): () => void
  /** Waits for refreshes under way; the issuer and the store have to be there until then. */
  close(): Promise<void>
}

export interface SessionDeps {
  readonly vault: SessionVault
  readonly clock: Clock
  readonly singleFlight: (
    key: string,
    work: () => Promise<RememberedSession | undefined>,
  ) => Promise<RememberedSession | undefined>
  readonly idleMilliseconds: number
  readonly absoluteMilliseconds: number
  /** @throws {Refusal} where the claims do not hold. */
  identityOf(issuer: string, claims: Claims, expiresAt: number): Identity
  /**
   * Has a deadline. `ended` only where the issuer says `invalid_grant`; rejects for all else.
   * @param claims those before, which go on to count where the issuer says no others.
   */
  refresh(issuer: string, tokens: SignedIn['tokens'], subject: string, claims: Claims): Promise<SignedIn | 'ended'>
  /** Hears of each refresh that gave tokens which Looker is to have. */
  onTokens?(identity: Identity, tokens: TokensForLooker): void
  observe(event: 'started' | 'ended' | 'expired' | 'refreshed' | 'refresh_failed'): void
  /** Hears of what failed behind nobody's request. */
  report(what: string, error: unknown): void
}

/** The sessions of people who signed in with their browser: sealed in the store, remembered for moments by each replica. */
export function createSessions(deps: SessionDeps): Sessions {
  const { vault, clock, report, observe } = deps
  const memory = createSessionMemory()
  const signOuts = createSignOuts({ vault, lifeMilliseconds: deps.absoluteMilliseconds })
  const archive = createSessionArchive({ ...deps, signOuts })
  const refresher = createSessionRefresh({ ...deps, archive, signOuts })
  // The idle time counts from the last look: where it is short, looks are more frequent.
  const trustMilliseconds = Math.min(TRUST_MEMORY_MILLISECONDS, deps.idleMilliseconds / 4)
  /** Counts announcements. What was read before one may be what it is about. */
  let heard = 0

  const hear = (name: string): void => {
    heard++
    for (const id of memory.idsNamed(name)) {
      const session = memory.get(id)
      if (session !== undefined) {
        session.lookAt = 0
        // Unless it was refreshed it may be over: without the store it does not go on.
        if (name !== vault.nameOf(refreshPlace(id))) session.confirmedAt = Number.NEGATIVE_INFINITY
      }
      watch.check(id)
    }
  }

  const identify = (issuer: string, claims: Claims, expiresAt: number): Identity | undefined => {
    try {
      return deps.identityOf(issuer, claims, expiresAt)
    } catch (error) {
      // The configuration has changed since the sign-in.
      report('identity of a session', error)
      return undefined
    }
  }

  const lookAtOf = (session: RememberedSession, from: number): number => {
    const now = clock.now()
    // Every caller is to wait for the refresh.
    if (now >= session.lapsesAt && now >= session.retryAt) return now
    const turns = [session.endsAt, session.refreshAt, session.lapsesAt, session.retryAt].filter(turn => turn > now)
    return Math.min(from + trustMilliseconds, ...turns)
  }

  /** `at` and `since`: the time, and the announcements heard, before the record was read. */
  const remember = (id: string, record: SessionRecord, at: number, since: number): RememberedSession | undefined => {
    const before = memory.get(id)
    let session = before
    if (session?.version !== record.version) {
      const identity = identify(record.issuer, record.claims, record.endsAt)
      if (identity === undefined) return undefined
      const { issuer, sub, sid, version, endsAt, tokensAt } = record
      const life = Math.max(record.tokensEndAt - tokensAt, SHORTEST_LIFE_MILLISECONDS)
      const refreshable = record.refreshToken !== undefined
      session = {
        identity,
        version,
        owner: { issuer, sub, sid },
        names: before?.names ?? [
          vault.nameOf(sessionPlace(id)),
          vault.nameOf(refreshPlace(id)),
          ...signOuts.namesOf(record),
        ],
        endsAt,
        refreshAt: refreshable
          ? tokensAt + life * (REFRESH_AT - Math.random() * REFRESH_JITTER)
          : Number.POSITIVE_INFINITY,
        lapsesAt: refreshable ? tokensAt + life : Number.POSITIVE_INFINITY,
        failures: 0,
        retryAt: 0,
        confirmedAt: 0,
        lookAt: 0,
      }
    }
    session.confirmedAt = at
    session.lookAt = heard === since ? lookAtOf(session, at) : 0
    memory.set(id, session)
    return session
  }

  const gone = (id: string): undefined => {
    // What was announced ended and did not expire.
    if ((memory.get(id)?.confirmedAt ?? 0) > 0) observe('expired')
    memory.delete(id)
  }

  /** The session as the store has it; as it was remembered where the store is away, for a while. */
  const look = (id: string): Promise<RememberedSession | undefined> =>
    deps.singleFlight(`look ${id}`, async () => {
      let [at, since] = [clock.now(), heard]
      let record: SessionRecord | undefined
      try {
        record = await archive.read(id, memory.get(id)?.owner)
        for (let looks = 1; looks < MAX_LOOKS && heard !== since; looks++) {
          ;[at, since] = [clock.now(), heard]
          record = await archive.read(id, memory.get(id)?.owner)
        }
      } catch (error) {
        const session = memory.get(id)
        const until = Math.min(session?.endsAt ?? 0, (session?.confirmedAt ?? 0) + OUTAGE_MILLISECONDS)
        if (session === undefined || clock.now() >= until) throw error
        session.lookAt = Math.min(clock.now() + OUTAGE_LOOK_MILLISECONDS, until)
        return session
      }
      const session = record && remember(id, record, at, since)
      if (session === undefined) return gone(id)
      archive.touch(id, session.endsAt).catch((error: unknown) => report('idle time of a session', error))
      return session
    })

  /** Never rejects: where a refresh fails, the session stays as it is. */
  const refresh = (id: string, session: RememberedSession): Promise<RememberedSession | undefined> =>
    deps.singleFlight(`refresh ${id}`, async () => {
      const since = heard
      try {
        const record = await refresher.renew(id, session.version)
        // The store may be away again, and this not written yet: that is no news of the session.
        const { confirmedAt } = memory.get(id) ?? session
        const renewed = record && remember(id, record, confirmedAt, since)
        // What was looked up meanwhile is older.
        heard++
        const tokens = record && tokensForLooker(record)
        if (renewed !== undefined && tokens !== undefined) deps.onTokens?.(renewed.identity, tokens)
        if (renewed === undefined) {
          memory.delete(id)
          watch.check(id)
        }
        return renewed
      } catch (error) {
        observe('refresh_failed')
        report('refresh of a session', error)
        const current = memory.get(id) ?? session
        const wait = Math.min(FIRST_RETRY_MILLISECONDS * 2 ** current.failures++, LAST_RETRY_MILLISECONDS)
        current.retryAt = clock.now() + wait * (0.8 + Math.random() * 0.4)
        return current
      }
    })

  /** Serves a session that was just looked up, and has its tokens refreshed when that is due. */
  const serve = (id: string, session: RememberedSession): Identity | Promise<Identity | undefined> => {
    const now = clock.now()
    if (now < Math.max(session.refreshAt, session.retryAt)) return session.identity
    const renewal = refresh(id, session)
    if (now < session.lapsesAt) return session.identity
    return within(WAIT_FOR_REFRESH_MILLISECONDS, renewal, session).then(current => current?.identity)
  }

  const lookUp = async (id: string): Promise<Identity | undefined> => {
    const found = await look(id)
    return found && serve(id, found)
  }

  const watch = createSessionWatch({
    async isThere(id) {
      const known = memory.get(id)
      if (known !== undefined && clock.now() < known.lookAt - WATCH_EARLIER_MILLISECONDS) return true
      const session = await look(id)
      if (session !== undefined) void serve(id, session)
      return session !== undefined
    },
    report,
  })

  const end = async (id: string): Promise<EndedSession | undefined> => {
    if (!ID.test(id)) return undefined
    const record = await archive.take(id)
    hear(vault.nameOf(sessionPlace(id)))
    vault.announce(sessionPlace(id))
    memory.delete(id)
    watch.check(id)
    if (record === undefined) return undefined
    observe('ended')
    const identity = identify(record.issuer, record.claims, record.endsAt)
    return identity && { identity, issuer: record.issuer, idToken: record.idToken }
  }

  vault.onAnnounced(hear)

  return {
    async begin(signedIn) {
      const [at, since] = [clock.now(), heard]
      const { issuer, claims } = signedIn
      const endsAt = at + deps.absoluteMilliseconds
      const { subject } = deps.identityOf(issuer, claims, endsAt)
      const owner = { issuer, sub: textOf(claims['sub']) ?? subject, sid: textOf(claims['sid']) }
      // A sign-out that comes after the issuer's answer and before this look counts as one before the session.
      // It is a moment; and the issuer, which ended the sign-in, refuses the next refresh.
      const signOutsBefore = await signOuts.of(owner)
      const record = newRecord(signedIn, { ...owner, tokensAt: at, endsAt, signOutsBefore })
      const id = randomBytes(32).toString('base64url')
      await signOuts.see(record)
      await archive.add(id, record)
      remember(id, record, at, since)
      observe('started')
      return id
    },
    find(id) {
      const session = memory.get(id)
      if (session !== undefined && clock.now() < session.lookAt) return session.identity
      return ID.test(id) ? lookUp(id) : undefined
    },
    confirm: async id => (ID.test(id) ? lookUp(id) : undefined),
    async tokensOf(id) {
      const record = await archive.read(id, memory.get(id)?.owner)
      return record && tokensForLooker(record)
    },
    end,
    async replace(id, by) {
      if (!ID.test(id)) return
      const { identity } = (await look(id)) ?? {}
      if (identity !== undefined && identity.issuer === by?.issuer && identity.subject === by.subject) {
        await vault.write(replacedPlace(id), true, KNOW_REPLACED_MILLISECONDS)
      }
      await end(id)
    },
    wasReplaced: async id => (await vault.read(replacedPlace(id), value => value)) === true,
    async endOf(issuer, who) {
      const claims = await signOuts.lastSeen(issuer, who)
      for (const name of await signOuts.record(issuer, who)) hear(name)
      if (claims === undefined) return undefined
      observe('ended')
      return identify(issuer, claims, clock.now())
    },
    watch: (id, ended) => watch.add(id, ended),
    async close() {
      watch.close()
      await refresher.close()
      await archive.close()
    },
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
