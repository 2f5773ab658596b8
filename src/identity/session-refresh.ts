import { setTimeout as pause } from 'node:timers/promises'
import type { Clock } from '../core/clock.ts'
import type { Identity } from '../core/identity.ts'
import type { SessionArchive } from './session-archive.ts'
import {
  newRecord,
  refreshPlace,
  type SessionRecord,
  type SessionVault,
  type SignedIn,
  sessionPlace,
} from './session-record.ts'
import type { SignOuts } from './session-sign-out.ts'

/** Longer than a refresh that goes well, and extended while one goes on: a refresh token must not be spent twice. */
const LEASE_MILLISECONDS = 30_000
/** How long the work of another replica is waited for. */
const WAIT_MILLISECONDS = 10_000
const LOOK_MILLISECONDS = 1_000
const RELEASE_RETRY_MILLISECONDS = 250
/** Another replica may have spent the refresh token and not yet written what it got: it has this long. */
const GRACE_LOOKS = 3
const GRACE_PAUSE_MILLISECONDS = 500

export interface SessionRefresh {
  /**
   * Has the issuer's tokens refreshed by one replica. Resolves with the record that counts from then on, whoever made it;
   * undefined where the session is over. Rejects where there is no newer one: the issuer or the store is away.
   */
  renew(id: string, version: string): Promise<SessionRecord | undefined>
  /** Waits for what is under way: an answer that nobody wrote down would be a refresh token lost. */
  close(): Promise<void>
}

interface HeldLease {
  /** Holds it until then, although it is let go before. */
  keepUntil(promise: Promise<void>): void
  letGo(): Promise<void>
}

export interface SessionRefreshDeps {
  readonly vault: SessionVault
  readonly archive: SessionArchive
  readonly signOuts: SignOuts
  readonly clock: Clock
  identityOf(issuer: string, claims: SignedIn['claims'], expiresAt: number): Identity
  refresh(
    issuer: string,
    tokens: SignedIn['tokens'],
    subject: string,
    claims: SignedIn['claims'],
  ): Promise<SignedIn | 'ended'>
  observe(event: 'refreshed' | 'ended'): void
  report(what: string, error: unknown): void
}

export function createSessionRefresh(deps: SessionRefreshDeps): SessionRefresh {
  const { vault, archive, signOuts, clock } = deps
  const underWay = new Set<Promise<unknown>>()
  let closed = false

  /** With the claims of the answer, unless the configuration cannot make a person of them. */
  const renewed = (record: SessionRecord, answer: SignedIn, askedAt: number): SessionRecord => {
    // OIDC Core §12.2: the same issuer and subject, or it is not this session's answer.
    if (answer.issuer !== record.issuer || answer.claims['sub'] !== record.sub) {
      throw new Error('the answer to a refresh speaks of somebody else')
    }
    let { claims } = answer
    try {
      deps.identityOf(record.issuer, claims, record.endsAt)
    } catch (error) {
      // The refresh token is spent, so the new tokens have to be kept; only `invalid_grant` ends a session.
      deps.report('claims of a refreshed session', error)
      ;({ claims } = record)
    }
    const tokens = { ...answer.tokens, refreshToken: answer.tokens.refreshToken ?? record.refreshToken }
    return newRecord({ issuer: record.issuer, claims, tokens }, { ...record, tokensAt: askedAt })
  }

  const end = async (id: string, version: string): Promise<SessionRecord | undefined> => {
    for (let looks = 0; ; looks++) {
      const current = await archive.read(id)
      if (current?.version !== version) return current
      if (looks === GRACE_LOOKS) break
      await pause(GRACE_PAUSE_MILLISECONDS)
    }
    if ((await archive.take(id)) !== undefined) deps.observe('ended')
    vault.announce(sessionPlace(id))
    return undefined
  }

  /** As soon as the store is back: until the lease lapses, whoever needs a refresh would wait in vain. */
  const releaseLater = async (lease: { release(): Promise<void> }): Promise<void> => {
    const until = performance.now() + LEASE_MILLISECONDS
    for (;;) {
      await pause(RELEASE_RETRY_MILLISECONDS, undefined, { ref: false })
      if (closed || performance.now() >= until) return
      try {
        return await lease.release()
      } catch {
        // Was told at the first attempt.
      }
    }
  }

  const lease = async (id: string): Promise<HeldLease | undefined> => {
    const lease = await vault.lease(refreshPlace(id), LEASE_MILLISECONDS)
    if (lease === undefined) return undefined
    const extending = setInterval(
      () => void lease.extend(LEASE_MILLISECONDS).catch(() => {}),
      LEASE_MILLISECONDS / 3,
    ).unref()
    let late: Promise<void> | undefined
    const release = async (): Promise<void> => {
      clearInterval(extending)
      try {
        await lease.release()
      } catch (error) {
        deps.report('release of a lease', error)
        void releaseLater(lease)
      }
    }
    return {
      keepUntil: promise => void (late = promise),
      async letGo() {
        if (late === undefined) await release()
        else void late.then(release)
      },
    }
  }

  const ask = async (id: string, current: SessionRecord, lease: HeldLease): Promise<SessionRecord | undefined> => {
    const { version, issuer, sub, idToken, accessToken, refreshToken, tokensEndAt, refreshTokenEndsAt } = current
    const ends = { expiresAt: tokensEndAt, refreshExpiresAt: refreshTokenEndsAt }
    const tokens = { idToken, accessToken, refreshToken, ...ends }
    const askedAt = clock.now()
    const answer = await deps.refresh(issuer, tokens, sub, current.claims)
    if (answer === 'ended') return end(id, version)
    const next = renewed(current, answer, askedAt)
    const { record, late } = await archive.replace(id, version, next)
    if (late !== undefined) lease.keepUntil(late.then(() => vault.announce(refreshPlace(id))))
    if (record?.version === next.version) {
      deps.observe('refreshed')
      vault.announce(refreshPlace(id))
      signOuts.see(next).catch((error: unknown) => deps.report('note of who is in a session', error))
    }
    return record
  }

  const renew = async (id: string, version: string): Promise<SessionRecord | undefined> => {
    const until = performance.now() + WAIT_MILLISECONDS
    for (;;) {
      const held = await lease(id)
      try {
        // Before the lease was had, or while it was waited for, somebody may have finished.
        const current = await archive.read(id)
        if (current?.version !== version) return current
        if (held !== undefined) return await ask(id, current, held)
      } finally {
        await held?.letGo()
      }
      if (closed || performance.now() >= until)
        throw new Error('another replica refreshes this session and does not finish')
      await vault.awaitRelease(refreshPlace(id), LOOK_MILLISECONDS)
    }
  }

  return {
    renew(id, version) {
      const work = renew(id, version)
      underWay.add(work)
      const done = (): void => void underWay.delete(work)
      work.then(done, done)
      return work
    },
    async close() {
      closed = true
      await Promise.race([Promise.allSettled(underWay), pause(WAIT_MILLISECONDS, undefined, { ref: false })])
    },
  }
}
