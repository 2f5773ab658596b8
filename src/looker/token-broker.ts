import type { Clock } from '../core/clock.ts'
import { Refusal } from '../core/failure.ts'
import type { LookerScope } from '../core/looker-scope.ts'
import { Secret } from '../core/secret.ts'
import { type AccessToken, readAccessToken } from './access-token.ts'
import { alone, underLease } from './alone.ts'
import type { CallContext, LookerClient } from './client.ts'
import { usefulSeconds } from './lifetime.ts'
import type { Limiter } from './limiter.ts'
import { createProvisioning } from './provisioning.ts'
import { LookerAnswer } from './transport.ts'
import { explainRefusal } from './users.ts'
import type { LookerLease, LookerVault, Place } from './vault.ts'

/** Refresh begins at 80 % of a token's life, less up to this part, so that replicas do not begin together. */
const REFRESH_AT = 0.8
const REFRESH_JITTER = 0.05
/** A token in memory is looked up in the store again after this long, in case an announcement was lost. */
const TRUST_MEMORY_MILLISECONDS = 5_000
const MAX_IN_MEMORY = 20_000
/** A person has more only where their grant changes time and again within the life of one. */
const MAX_PREDECESSORS = 4
/** The fingerprint of no scope: a token with it is never handed out. */
const NO_SCOPE = ''

/** A person's own Looker token. */
export interface PersonToken extends AccessToken {
  readonly lookerUserId: string
  readonly fingerprint: string
}

/** A token that was handed out before the one that counts now. At Looker it is good until it ends. */
type Predecessor = Pick<PersonToken, 'token' | 'expiresAt'>

/** What the store has of a person: those before are there to be ended with the current one. */
interface TokenRecord {
  readonly current: PersonToken
  /** The youngest first. */
  readonly before: readonly Predecessor[]
}

/** Somebody, whatever they may do: to take something from them needs no grant. */
type Person = Pick<LookerScope, 'externalUserId'>

export interface TokenBroker {
  /** The person's token for exactly this scope: the same one for everybody who asks within its useful life. */
  tokenFor(scope: LookerScope, context: CallContext): PersonToken | Promise<PersonToken>
  /**
   * Ends the person's tokens at Looker, those from before a refresh or another grant too, and forgets them on every replica.
   * Says whose they were: the Looker user id, if there were any.
   */
  revoke(person: Person, context: CallContext): Promise<string | undefined>
}

export interface TokenBrokerDeps {
  readonly looker: LookerClient
  readonly vault: LookerVault
  readonly limiter: Limiter
  readonly singleFlight: (key: string, work: () => Promise<PersonToken>) => Promise<PersonToken>
  readonly clock: Clock
  /** How long a caller waits for another replica that is at work on the same person. */
  readonly waitSeconds: number
  readonly embedDomain: string
  /** Whether the store is shared: then a look into it is a tier of the cache. */
  readonly shared: boolean
  readonly observe: (tier: 'memory' | 'redis', result: 'hit' | 'miss' | 'stale') => void
  /** Hears of work behind nobody's request that failed. */
  readonly report: (what: string, error: unknown) => void
}

interface Remembered {
  readonly token: PersonToken
  readonly name: string
  readonly refreshAt: number
  checkedAt: number
}

export function createTokenBroker(deps: TokenBrokerDeps): TokenBroker {
  const { looker, vault, limiter, clock } = deps
  const memory = new Map<string, Remembered>()
  const ownerOf = new Map<string, string>()

  const provisioning = createProvisioning(deps)

  const forget = (owner: string): void => {
    const known = memory.get(owner)
    if (known === undefined) return
    memory.delete(owner)
    ownerOf.delete(known.name)
  }
  const remember = (scope: LookerScope, token: PersonToken): PersonToken => {
    const owner = scope.externalUserId
    forget(owner)
    if (memory.size >= MAX_IN_MEMORY) {
      const oldest = memory.keys().next()
      if (oldest.done !== true) forget(oldest.value)
    }
    const name = vault.nameOf(tokenPlace(scope))
    const life = token.expiresAt - token.obtainedAt
    const refreshAt = token.obtainedAt + life * (REFRESH_AT - Math.random() * REFRESH_JITTER)
    memory.set(owner, { token, name, refreshAt, checkedAt: clock.now() })
    ownerOf.set(name, owner)
    return token
  }
  vault.onAnnounced(name => {
    const owner = ownerOf.get(name)
    if (owner !== undefined) forget(owner)
  })

  const fits = (token: PersonToken | undefined, scope: LookerScope): token is PersonToken =>
    token !== undefined && token.fingerprint === scope.fingerprint && usefulSeconds(token, clock.now()) >= 1

  const look = async (scope: LookerScope): Promise<PersonToken | undefined> => {
    const token = (await vault.read(tokenPlace(scope), parseRecord))?.current
    if (deps.shared) deps.observe('redis', token === undefined ? 'miss' : fits(token, scope) ? 'hit' : 'stale')
    return token
  }

  /**
   * Takes the token from the store, or makes it unless somebody else is at it; `replaced` is the one to be improved on.
   * One that was void as soon as it was made is to be made again.
   */
  const obtain = async (
    scope: LookerScope,
    context: CallContext,
    replaced?: PersonToken,
  ): Promise<PersonToken | 'void' | 'others'> => {
    const better = (token: PersonToken | undefined): token is PersonToken =>
      fits(token, scope) && token.obtainedAt > (replaced?.obtainedAt ?? Number.NEGATIVE_INFINITY)
    const shared = await look(scope)
    if (better(shared)) return remember(scope, shared)
    const work = async (lease: LookerLease): Promise<PersonToken | 'void'> => {
      // Between the look and the lease somebody may have finished.
      const known = await vault.read(tokenPlace(scope), parseRecord)
      if (better(known?.current)) return remember(scope, known.current)
      // Revoked meanwhile: there is nothing left to improve on, and maybe nobody to make one for.
      if (replaced !== undefined && known === undefined) return replaced
      const current = await mint(scope, context)
      const record = { current, before: predecessors(known, clock.now()) }
      if (!(await lease.write(serialise(record), endOf(record) - clock.now()))) {
        // Revoked, or leased anew, while Looker was asked: what was made under the old lease must not live.
        await looker.logout(current.token, context)
        return 'void'
      }
      remember(scope, current)
      if (replaced !== undefined) vault.announce(tokenPlace(scope))
      return current
    }
    const unreleased = (error: unknown): void => deps.report('release of a lease', error)
    return limiter.run(async () => (await underLease(vault, tokenPlace(scope), work, unreleased))?.value ?? 'others')
  }

  const mint = async (scope: LookerScope, context: CallContext): Promise<PersonToken> => {
    const applied = await provisioning.appliedTo(scope)
    try {
      const token = applied === undefined ? undefined : await login(scope, applied, context)
      if (token !== undefined) return token
      // It was never applied, or the user was deleted or disabled since.
      const first = await login(scope, await provisioning.provision(scope, context, applied), context)
      if (first !== undefined) return first
      throw new Refusal({
        kind: 'looker-refused',
        operation: 'login_user',
        status: 404,
        message: 'no token for the user that was just provisioned',
      })
    } catch (error) {
      if (error instanceof Refusal && error.failure.kind === 'looker-user-disabled') await purge(scope)
      throw error
    }
  }

  /** Undefined where Looker has no such user, or does not let it in. */
  const login = async (
    scope: LookerScope,
    lookerUserId: string,
    context: CallContext,
  ): Promise<PersonToken | undefined> => {
    const askedAt = clock.now()
    try {
      const answer = await explainRefusal(
        'login_user',
        () => looker.call('login_user', (sdk, options) => sdk.login_user(lookerUserId, options), context),
        [400, 403, 404],
      )
      return { ...readAccessToken(answer, askedAt), lookerUserId, fingerprint: scope.fingerprint }
    } catch (error) {
      if (error instanceof LookerAnswer) return undefined
      throw error
    }
  }

  const purge = async (person: Person): Promise<TokenRecord | undefined> => {
    forget(person.externalUserId)
    const removed = joined(await vault.remove(tokenPlace(person), parseRecord))
    vault.announce(tokenPlace(person))
    return removed
  }

  /** Beside what was made since, for Looker may have taken long to fail. Whoever tries again can end all of them. */
  const keepBeside = async (person: Person, lost: TokenRecord | undefined): Promise<void> => {
    if (lost === undefined || endOf(lost) <= clock.now()) return
    const place = tokenPlace(person)
    await alone(deps, place, async lease => {
      const known = await vault.read(place, parseRecord)
      const record =
        known === undefined
          ? { ...lost, current: { ...lost.current, fingerprint: NO_SCOPE } }
          : { ...known, before: [...known.before, ...predecessors(lost, clock.now())].slice(0, MAX_PREDECESSORS) }
      await lease.write(serialise(record), endOf(record) - clock.now())
    })
  }

  const obtainOrWait = async (scope: LookerScope, context: CallContext): Promise<PersonToken> => {
    const deadline = clock.now() + deps.waitSeconds * 1000
    for (;;) {
      const token = await obtain(scope, context)
      if (typeof token !== 'string') return token
      const left = deadline - clock.now()
      if (left <= 0) throw new Refusal({ kind: 'overloaded', retryAfterSeconds: 2 })
      if (token === 'others') await vault.awaitRelease(tokenPlace(scope), left)
    }
  }

  const refresh = (scope: LookerScope, known: Remembered, context: CallContext): void => {
    // Not asked for again before the next look, whatever comes of it; the token at hand serves to its end.
    memory.set(scope.externalUserId, { ...known, refreshAt: clock.now() + TRUST_MEMORY_MILLISECONDS })
    obtain(scope, context, known.token).catch((error: unknown) => deps.report('refresh of a Looker token', error))
  }

  /** Looks whether the store still has the token; a store that is away changes nothing. */
  const confirm = async (scope: LookerScope, known: Remembered, context: CallContext): Promise<PersonToken> => {
    known.checkedAt = clock.now()
    let current: PersonToken | undefined
    try {
      current = await look(scope)
    } catch (error) {
      deps.report('look for a token in the store', error)
      return known.token
    }
    if (fits(current, scope))
      return current.token.reveal() === known.token.token.reveal() ? known.token : remember(scope, current)
    forget(scope.externalUserId)
    return deps.singleFlight(flightKey(scope), () => obtainOrWait(scope, context))
  }

  return {
    tokenFor(scope, context) {
      const known = memory.get(scope.externalUserId)
      if (known !== undefined && fits(known.token, scope)) {
        const now = clock.now()
        deps.observe('memory', 'hit')
        if (now >= known.refreshAt) refresh(scope, known, context)
        return deps.shared && now - known.checkedAt >= TRUST_MEMORY_MILLISECONDS
          ? confirm(scope, known, context)
          : known.token
      }
      deps.observe('memory', known === undefined ? 'miss' : 'stale')
      return deps.singleFlight(flightKey(scope), () => obtainOrWait(scope, context))
    },
    async revoke(person, context) {
      const known = memory.get(person.externalUserId)?.token
      const stored = await purge(person)
      const tokens = [known, stored?.current, ...(stored?.before ?? [])].filter(token => token !== undefined)
      const texts = new Set(tokens.map(({ token }) => token.reveal()))
      try {
        await Promise.all([...texts].map(text => looker.logout(new Secret(text), context)))
      } catch (error) {
        await keepBeside(person, stored).catch((late: unknown) => deps.report('record of tokens to be ended', late))
        throw error
      }
      return (stored?.current ?? known)?.lookerUserId
    },
  }
}

/** On every replica. The token is good at Looker until it ends, and stays on record so that it can be ended there. */
export async function forgetToken(
  { vault, clock }: Pick<TokenBrokerDeps, 'vault' | 'clock'>,
  person: Person,
): Promise<void> {
  const place = tokenPlace(person)
  // It voids the lease of a token that is just being made.
  const known = joined(await vault.remove(place, parseRecord))
  await keepForNobody({ vault, clock }, person, known)
  vault.announce(place)
}

/** Not under a lease: whoever was at it has just been voided, and whoever comes now has yet to ask Looker. */
async function keepForNobody(
  { vault, clock }: Pick<TokenBrokerDeps, 'vault' | 'clock'>,
  person: Person,
  known: TokenRecord | undefined,
): Promise<void> {
  const left = known === undefined ? 0 : endOf(known) - clock.now()
  if (known === undefined || left <= 0) return
  const current = { ...known.current, fingerprint: NO_SCOPE }
  await vault.write(tokenPlace(person), serialise({ ...known, current }), left)
}

/** The first counts; the others are there to be ended. */
function joined([first, ...others]: readonly TokenRecord[]): TokenRecord | undefined {
  if (first === undefined || others.length === 0) return first
  return { ...first, before: [...first.before, ...others.flatMap(({ current, before }) => [current, ...before])] }
}

function tokenPlace({ externalUserId }: Person): Place {
  return { kind: 'looker-token', owner: externalUserId }
}

function flightKey(scope: LookerScope): string {
  return `${scope.fingerprint} ${scope.externalUserId}`
}

/** Of what is known, all that is still good and is not handed out any more once there is another. */
function predecessors(known: TokenRecord | undefined, now: number): Predecessor[] {
  if (known === undefined) return []
  return [known.current, ...known.before].filter(({ expiresAt }) => expiresAt > now).slice(0, MAX_PREDECESSORS)
}

function endOf({ current, before }: TokenRecord): number {
  return Math.max(current.expiresAt, ...before.map(({ expiresAt }) => expiresAt))
}

function serialise({ current, before }: TokenRecord): unknown {
  return {
    ...current,
    token: current.token.reveal(),
    before: before.map(({ token, expiresAt }) => ({ token: token.reveal(), expiresAt })),
  }
}

function parseRecord(value: unknown): TokenRecord | undefined {
  const { token, obtainedAt, expiresAt, lookerUserId, fingerprint, before } = value as Record<string, unknown>
  if (typeof token !== 'string' || typeof obtainedAt !== 'number' || typeof expiresAt !== 'number') return undefined
  if (typeof lookerUserId !== 'string' || typeof fingerprint !== 'string') return undefined
  const current = { token: new Secret(token), obtainedAt, expiresAt, lookerUserId, fingerprint }
  // Records of older versions have none.
  return { current, before: Array.isArray(before) ? before.flatMap(parsePredecessor) : [] }
}

function parsePredecessor(value: unknown): Predecessor[] {
  const { token, expiresAt } = value as Record<string, unknown>
  return typeof token === 'string' && typeof expiresAt === 'number' ? [{ token: new Secret(token), expiresAt }] : []
}
