import { randomUUID } from 'node:crypto'
import { onTestFinished } from 'vitest'
import { type Clock, systemClock } from '../../src/core/clock.ts'
import { Refusal } from '../../src/core/failure.ts'
import type { Claims, Identity } from '../../src/core/identity.ts'
import { Secret } from '../../src/core/secret.ts'
import { createSessions, type SessionDeps, type Sessions, type SignedIn } from '../../src/identity/session.ts'
import { createMemoryStore } from '../../src/store/memory-store.ts'
import { createSealer } from '../../src/store/seal.ts'
import { createSingleFlight } from '../../src/store/single-flight.ts'
import type { Store } from '../../src/store/store.ts'
import { createVault, type Vault } from '../../src/store/vault.ts'
import { SEAL_KEYS } from '../support/world.ts'

const MINUTE = 60_000
const sealKey = new Secret(SEAL_KEYS.SEAL_KEY_1)

export const sealer = createSealer([{ id: 'k1', key: { current: () => sealKey } }])

export interface SessionReplica {
  readonly sessions: Sessions
  readonly vault: Vault
  /** What `sessions_total` would count. */
  readonly events: string[]
  /** What was reported, by what it was. */
  readonly reports: string[]
}

type Refresh = SessionDeps['refresh']

/** The session layer of one replica: an hour idle, twelve in all, unless told otherwise. */
export function openSessions(
  options: { store?: Store; clock?: Clock; refresh?: Refresh; idleMinutes?: number; absoluteMinutes?: number } = {},
): SessionReplica {
  const { clock = systemClock, idleMinutes = 60, absoluteMinutes = 12 * 60 } = options
  const vault = createVault({ store: options.store ?? createMemoryStore(clock), sealer })
  const events: string[] = []
  const reports: string[] = []
  const sessions = createSessions({
    vault,
    clock,
    singleFlight: createSingleFlight(),
    idleMilliseconds: idleMinutes * MINUTE,
    absoluteMilliseconds: absoluteMinutes * MINUTE,
    identityOf,
    refresh: options.refresh ?? (() => Promise.reject(new Error('nobody expects a refresh'))),
    observe: event => void events.push(event),
    report: what => void reports.push(what),
  })
  onTestFinished(() => sessions.close())
  return { sessions, vault, events, reports }
}

export function identityOf(issuer: string, claims: Claims, expiresAt: number): Identity {
  const groups = claims['groups'] ?? []
  if (!Array.isArray(groups)) {
    throw new Refusal({ kind: 'token-rejected', reason: 'bad-claim', detail: 'groups is not a list of names' })
  }
  return {
    issuer,
    issuerUrl: 'https://id.example.com',
    subject: String(claims['sub']),
    email: String(claims['email']),
    name: undefined,
    preferredUsername: undefined,
    groups: groups as string[],
    claims,
    expiresAt,
    method: 'session',
  }
}

/** What the issuer gives for a sign-in; `minutes` is the life of the access token, which can be refreshed if it is given. */
export function signedIn(claims: Claims = {}, tokens: { minutes?: number; clock?: Clock } = {}): SignedIn {
  const { minutes, clock = systemClock } = tokens
  return {
    issuer: 'corp',
    claims: { sub: 'ana', email: 'ana@people.example', groups: ['analytics'], ...claims },
    tokens: {
      idToken: new Secret(`id-token-${randomUUID()}`),
      accessToken: new Secret(`access-token-${randomUUID()}`),
      refreshToken: minutes === undefined ? undefined : new Secret(`refresh-token-${randomUUID()}`),
      expiresAt: minutes === undefined ? undefined : clock.now() + minutes * MINUTE,
    },
  }
}

/** The store as a replica sees it whose announcements, and those of others, are lost. */
export function deaf(store: Store): Store {
  return { ...store, announce() {}, onAnnounced() {} }
}
