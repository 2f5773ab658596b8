import { randomUUID } from 'node:crypto'
import { type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose'
import type { Clock } from '../core/clock.ts'
import type { Identity } from '../core/identity.ts'

/** An assertion is good for this long, and handed out for the first half of it: the app always has the other half left. */
const LIFE_SECONDS = 60
const REUSE_MILLISECONDS = 30_000
/** A new key is made this often. */
const ROTATE_MILLISECONDS = 30 * 24 * 3_600_000
/** A new key is published for this long before it signs: apps remember a key set for some minutes. */
const PUBLISH_FIRST_MILLISECONDS = 60 * 60_000
/** A key that no longer signs stays published for this long. */
const KEEP_MILLISECONDS = 24 * 3_600_000
/** How often a replica looks whether another made a key. */
const LOOK_MILLISECONDS = 5 * 60_000
const RETRY_MILLISECONDS = 250
const LEASE_MILLISECONDS = 10_000
const ALGORITHM = 'ES256'
const PLACE = { kind: 'assertion-keys', owner: 'sallyport' }

/** A signing key as it is kept, sealed, for all replicas. */
interface StoredKey {
  readonly kid: string
  readonly createdAt: number
  readonly jwk: JWK
}

interface Place {
  readonly kind: string
  readonly owner: string
}

/** The part of the vault that is used here. */
interface KeyVault {
  read<T>(place: Place, parse: (value: unknown) => T | undefined): Promise<T | undefined>
  lease(
    place: Place,
    ttlMilliseconds: number,
  ): Promise<{ write(value: unknown, ttlMilliseconds: number): Promise<boolean>; release(): Promise<void> } | undefined>
  awaitRelease(place: Place, milliseconds: number): Promise<void>
}

export interface AssertionOptions {
  /** `iss`: Sallyport's public URL. */
  readonly issuer: string
  /** `aud`: the app's origin. */
  readonly audience: string
  readonly vault: KeyVault
  readonly clock: Clock
  readonly report: (error: unknown) => void
}

/** Tells the app who is calling in a way that the app can check: a short JWT, signed with a key of ours. */
export interface AssertionSigner {
  /** The assertion for an identity; undefined while no key could be had, and then the app has to refuse. */
  assert(identity: Identity): string | undefined | Promise<string | undefined>
  /** The public keys (RFC 7517), for `/jwks.json`. */
  publicKeys(): { keys: readonly object[] }
  /** Gets the keys, or makes the first, and goes on looking after them. */
  start(): void
  close(): void
}

export function createAssertionSigner(options: AssertionOptions): AssertionSigner {
  const { clock, vault } = options
  let published: readonly object[] = []
  let signing: { readonly kid: string; readonly key: CryptoKey } | undefined
  let timer: NodeJS.Timeout | undefined
  let closed = false
  let firstLook: Promise<void> | undefined
  let made = new WeakMap<Identity, { readonly text: string; readonly until: number }>()

  const use = async (keys: readonly StoredKey[]): Promise<void> => {
    const now = clock.now()
    // The youngest that was published long enough; at the very start the only one.
    const ripe = keys.filter(({ createdAt }) => now - createdAt >= PUBLISH_FIRST_MILLISECONDS)
    const chosen = ripe.at(-1) ?? keys[0]
    if (chosen !== undefined && chosen.kid !== signing?.kid) {
      const key = await importJWK(chosen.jwk, ALGORITHM)
      if (key instanceof Uint8Array) throw new TypeError('an assertion key has to be asymmetric')
      signing = { kid: chosen.kid, key }
      made = new WeakMap()
    }
    published = keys.map(({ kid, jwk: { kty, crv, x, y } }) => ({ kid, kty, crv, x, y, alg: ALGORITHM, use: 'sig' }))
  }

  /** The keys as they are to be from now on, or undefined where nothing changes. */
  const rotated = async (keys: readonly StoredKey[]): Promise<readonly StoredKey[] | undefined> => {
    const now = clock.now()
    const kept = keys.filter((_key, index) => {
      const successor = keys[index + 1]
      const retiredAt =
        successor === undefined ? Number.POSITIVE_INFINITY : successor.createdAt + PUBLISH_FIRST_MILLISECONDS
      return now - retiredAt < KEEP_MILLISECONDS
    })
    const youngest = kept.at(-1)
    if (youngest !== undefined && now - youngest.createdAt < ROTATE_MILLISECONDS) {
      return kept.length === keys.length ? undefined : kept
    }
    const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true })
    return [...kept, { kid: randomUUID(), createdAt: now, jwk: await exportJWK(privateKey) }]
  }

  const look = async (): Promise<void> => {
    const known = (await vault.read(PLACE, parseKeys)) ?? []
    await use(known)
    if ((await rotated(known)) === undefined) return
    const lease = await vault.lease(PLACE, LEASE_MILLISECONDS)
    if (lease === undefined) {
      await vault.awaitRelease(PLACE, LEASE_MILLISECONDS)
      await use((await vault.read(PLACE, parseKeys)) ?? [])
      return
    }
    try {
      // Another replica may have made it between the look and the lease.
      const current = (await vault.read(PLACE, parseKeys)) ?? []
      const next = await rotated(current)
      if (next === undefined) await use(current)
      else if (await lease.write(next, 2 * ROTATE_MILLISECONDS)) await use(next)
      // The lease had lapsed, and somebody else has made it.
      else await use((await vault.read(PLACE, parseKeys)) ?? [])
    } finally {
      await lease.release()
    }
  }

  const run = async (): Promise<void> => {
    let pause = LOOK_MILLISECONDS
    try {
      await look()
      if (signing === undefined) pause = RETRY_MILLISECONDS
    } catch (error) {
      options.report(error)
      if (signing === undefined) pause = RETRY_MILLISECONDS
    }
    if (!closed) timer = setTimeout(() => void run(), pause * (0.75 + Math.random() / 2)).unref()
  }

  const sign = async (identity: Identity, { kid, key }: NonNullable<typeof signing>): Promise<string> => {
    const now = clock.now()
    const issuedAt = Math.floor(now / 1000)
    const text = await new SignJWT({
      email: identity.email,
      groups: identity.groups,
      idp: identity.issuer,
    })
      .setProtectedHeader({ alg: ALGORITHM, kid, typ: 'JWT' })
      .setIssuer(options.issuer)
      .setAudience(options.audience)
      .setSubject(identity.subject)
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + LIFE_SECONDS)
      .sign(key)
    made.set(identity, { text, until: now + REUSE_MILLISECONDS })
    return text
  }

  return {
    assert(identity) {
      const known = made.get(identity)
      if (known !== undefined && known.until > clock.now()) return known.text
      if (signing !== undefined) return sign(identity, signing)
      // The first requests of a process wait for its first look, which has the store's deadline.
      return firstLook?.then(() => (signing === undefined ? undefined : sign(identity, signing)))
    },
    publicKeys: () => ({ keys: published }),
    start() {
      firstLook = run().finally(() => (firstLook = undefined))
    },
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}

function parseKeys(value: unknown): readonly StoredKey[] | undefined {
  return Array.isArray(value) && value.every(isStoredKey) ? value : undefined
}

function isStoredKey(value: unknown): value is StoredKey {
  const { kid, createdAt, jwk } = value as Record<string, unknown>
  return typeof kid === 'string' && typeof createdAt === 'number' && typeof jwk === 'object' && jwk !== null
}
