import { type CryptoKey, importJWK, type JWK } from 'jose'
import type { Clock } from '../core/clock.ts'

/** After a fetch for a key that was not there, or one that failed, the issuer is left alone for this long. */
const COOLDOWN_MILLISECONDS = 10_000
/** Keys are fetched again this often, so that one that was withdrawn stops to count. */
export const REFRESH_MILLISECONDS = 10 * 60_000
/** An issuer that cannot be reached for longer than this: its last keys are no longer believed. */
export const KEYS_SERVE_MILLISECONDS = 24 * 60 * 60_000

const CURVE_OF: Readonly<Record<string, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }

export interface KeySet {
  /** Fetches the keys. @throws whatever `fetchKeys` throws. */
  load(): Promise<void>
  /** The key for a token's header: at once where it is known, after one fetch a cool-down where not. */
  find(kid: string | undefined, algorithm: string): CryptoKey | undefined | Promise<CryptoKey | undefined>
  /** Counts up whenever the keys changed; a verdict reached under another number is void. */
  version(): number
  /** Whether the keys are there and not older than the bound. */
  fresh(): boolean
  /** Whether the last fetch went well. Where it did not, a key that was not found may be a new one. */
  reachable(): boolean
}

interface Candidate {
  readonly kid: string | undefined
  readonly jwk: JWK
}

/**
 * The signing keys of one issuer (RFC 7517).
 * @param fetchKeys gets the `keys` member of the issuer's JWK set; it has its own deadline.
 * @param report hears of each fetch that went well (`undefined`) or did not.
 */
export function createKeySet(deps: {
  fetchKeys: () => Promise<readonly JWK[]>
  algorithms: readonly string[]
  clock: Clock
  report: (error: unknown) => void
}): KeySet {
  const { fetchKeys, algorithms, clock, report } = deps
  let candidates: readonly Candidate[] = []
  let imported = new Map<string, CryptoKey>()
  let fingerprint = ''
  let version = 0
  let fetchedAt = Number.NEGATIVE_INFINITY
  let coolUntil = Number.NEGATIVE_INFINITY
  let reachable = false
  let inFlight: Promise<void> | undefined

  const refresh = (): Promise<void> => {
    inFlight ??= (async () => {
      try {
        const usable = (await fetchKeys()).filter(isUsable)
        const next = JSON.stringify(usable)
        fetchedAt = clock.now()
        reachable = true
        if (next !== fingerprint) {
          fingerprint = next
          candidates = usable.map(jwk => ({ kid: jwk.kid, jwk }))
          imported = new Map()
          version++
        }
        report(undefined)
      } catch (error) {
        reachable = false
        report(error)
        throw error
      } finally {
        inFlight = undefined
      }
    })()
    return inFlight
  }

  const pick = (kid: string | undefined, algorithm: string): Candidate | undefined => {
    const matching = candidates.filter(
      ({ kid: id, jwk }) =>
        (kid === undefined || id === kid) && (jwk.alg === undefined || jwk.alg === algorithm) && fits(jwk, algorithm),
    )
    // Without a kid the choice has to be the only one: trying keys in turn is how confusions start.
    return matching.length === 1 || kid !== undefined ? matching[0] : undefined
  }

  const open = (candidate: Candidate, algorithm: string): CryptoKey | Promise<CryptoKey | undefined> => {
    const name = `${algorithm} ${candidates.indexOf(candidate)}`
    const known = imported.get(name)
    if (known !== undefined) return known
    const into = imported
    return importJWK(candidate.jwk, algorithm).then(
      key => {
        if (key instanceof Uint8Array) return undefined
        into.set(name, key)
        return key
      },
      // A key that cannot be read is as good as none; the others of the set still count.
      () => undefined,
    )
  }

  const coolDown = (): void => {
    coolUntil = clock.now() + COOLDOWN_MILLISECONDS
  }

  return {
    load: refresh,
    version: () => version,
    fresh: () => clock.now() - fetchedAt < KEYS_SERVE_MILLISECONDS,
    reachable: () => reachable,
    find(kid, algorithm) {
      if (!algorithms.includes(algorithm)) return undefined
      const cool = clock.now() < coolUntil
      const known = pick(kid, algorithm)
      const age = clock.now() - fetchedAt
      if (known !== undefined && age < KEYS_SERVE_MILLISECONDS) {
        // In the background; report() tells of a failure, and the keys at hand go on serving until the bound.
        if (!cool && age >= REFRESH_MILLISECONDS) refresh().catch(coolDown)
        return open(known, algorithm)
      }
      if (cool) return undefined
      return refresh()
        .then(() => pick(kid, algorithm))
        .catch(() => undefined)
        .then(found => {
          // A key that was really new leaves the way free for the next; a made-up kid closes it for a while.
          if (found === undefined) coolDown()
          return found === undefined ? undefined : open(found, algorithm)
        })
    },
  }
}

/** RFC 7517 §4.2–4.3, RFC 7518 §3.3: keys that may not verify, are symmetric, or are too short do not exist for us. */
function isUsable(jwk: JWK): boolean {
  if (jwk.use !== undefined && jwk.use !== 'sig') return false
  if (jwk.key_ops !== undefined && !(Array.isArray(jwk.key_ops) && jwk.key_ops.includes('verify'))) return false
  if (jwk.d !== undefined) return false
  if (jwk.kty === 'RSA') return typeof jwk.n === 'string' && bitLength(jwk.n) >= 2048
  return jwk.kty === 'EC' || jwk.kty === 'OKP'
}

function bitLength(base64url: string): number {
  const bytes = Buffer.from(base64url, 'base64url')
  const first = bytes.findIndex(byte => byte !== 0)
  return first === -1 ? 0 : (bytes.length - first) * 8 - Math.clz32(bytes[first] ?? 0) + 24
}

/** RFC 8725 §3.1: an algorithm goes with one kind of key. */
function fits(jwk: JWK, algorithm: string): boolean {
  if (/^[RP]S\d{3}$/.test(algorithm)) return jwk.kty === 'RSA'
  if (algorithm === 'EdDSA') return jwk.kty === 'OKP' && jwk.crv === 'Ed25519'
  return jwk.kty === 'EC' && jwk.crv === CURVE_OF[algorithm]
}
