import { randomBytes } from 'node:crypto'
import type { Claims } from '../core/identity.ts'
import type { SessionOwner, SessionRecord, SessionVault } from './session-record.ts'

/** Whom a logout token names. */
export interface SignedOut {
  readonly subject: string | undefined
  readonly sid: string | undefined
}

/** The issuer's sign-outs (OIDC Back-Channel Logout 1.0), and who was seen in the sessions that they end. */
export interface SignOuts {
  /** The sign-outs on record that name the owner's sessions, to be compared by {@link endedBy}. */
  of(owner: SessionOwner): Promise<readonly string[]>
  /** The names under which announcements speak of them. */
  namesOf(owner: SessionOwner): readonly string[]
  /** Puts a sign-out on record and announces it. Resolves with the names it was announced under. */
  record(issuer: string, who: SignedOut): Promise<readonly string[]>
  /** Remembers who is in a session, for {@link lastSeen}. */
  see(session: SessionRecord): Promise<void>
  /** The claims of the person last seen in a session that a sign-out of this kind would end. */
  lastSeen(issuer: string, who: SignedOut): Promise<Claims | undefined>
}

/**
 * A sign-out is one record at the subject, or at the `sid`, instead of a list of sessions to be kept: each session looks
 * there. It has a random id and no time: replicas' clocks differ, and who signs in again at once is signed in.
 */
export function createSignOuts({
  vault,
  lifeMilliseconds,
}: {
  vault: SessionVault
  lifeMilliseconds: number
}): SignOuts {
  const signOut = (owner: string) => ({ kind: 'signed-out', owner })
  const person = (owner: string) => ({ kind: 'person', owner })

  return {
    of: owner => Promise.all(ownedBy(owner).map(async name => (await vault.read(signOut(name), asText)) ?? '')),
    namesOf: owner => ownedBy(owner).map(name => vault.nameOf(signOut(name))),
    async record(issuer, who) {
      const places = named(issuer, who).map(signOut)
      const id = randomBytes(9).toString('base64url')
      await Promise.all(places.map(place => vault.write(place, id, lifeMilliseconds)))
      for (const place of places) vault.announce(place)
      return places.map(place => vault.nameOf(place))
    },
    async see(session) {
      await Promise.all(ownedBy(session).map(name => vault.write(person(name), session.claims, lifeMilliseconds)))
    },
    async lastSeen(issuer, who) {
      const seen = await Promise.all(named(issuer, who).map(name => vault.read(person(name), asClaims)))
      return seen.find(claims => claims !== undefined)
    },
  }
}

/** Whether one of the sign-outs came after the session began. */
export function endedBy(signOuts: readonly string[], session: SessionRecord): boolean {
  return signOuts.some((id, index) => id !== '' && id !== session.signOutsBefore[index])
}

const ofSubject = (issuer: string, sub: string): string => `${issuer}\nsub\n${sub}`
const ofSid = (issuer: string, sid: string): string => `${issuer}\nsid\n${sid}`
const withoutSid = (issuer: string, sub: string): string => `${issuer}\nno sid\n${sub}`

/** Where a session looks: a sign-out of the subject everywhere, and one of this session of theirs. */
function ownedBy({ issuer, sub, sid }: SessionOwner): readonly [string, string] {
  return [ofSubject(issuer, sub), sid === undefined ? withoutSid(issuer, sub) : ofSid(issuer, sid)]
}

/**
 * Where a sign-out is put. §2.4: with a `sid` it is that session's and not all of the subject's. A session whose ID token
 * had no `sid` could be the one that is meant, so it ends too.
 */
function named(issuer: string, { subject, sid }: SignedOut): readonly string[] {
  if (sid === undefined) return subject === undefined ? [] : [ofSubject(issuer, subject)]
  return [ofSid(issuer, sid), ...(subject === undefined ? [] : [withoutSid(issuer, subject)])]
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function asClaims(value: unknown): Claims | undefined {
  return typeof value === 'object' && value !== null ? (value as Claims) : undefined
}
