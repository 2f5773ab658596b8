import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { readBody } from './body.ts'
import { type EmbedDefinition, readEmbedDefinition } from './embed-definition.ts'
import { badRequest, LookerFailure } from './failure.ts'
import type { Settings } from './settings.ts'

export type SignedDefinition = EmbedDefinition & { readonly externalUserId: string }

export interface EmbedSecret {
  readonly secret: string
  readonly algorithm: 'hmac/sha-1' | 'hmac/sha-256'
}

const TOLERATED_MILLISECONDS = 300_000
// Looker remembers nonces for an hour.
const REMEMBERED_MILLISECONDS = 3_600_000

/** What is signed after host and path, in Looker's order; one that is left out of the URL is left out here too. */
const SIGNED = [
  'nonce',
  'time',
  'session_length',
  'external_user_id',
  'permissions',
  'models',
  'group_ids',
  'external_group_id',
  'user_attributes',
  'access_filters',
]
const REQUIRED = ['nonce', 'time', 'session_length', 'external_user_id', 'permissions', 'models', 'access_filters']

const refused = (reason: string): LookerFailure => new LookerFailure(401, reason)

/** Signed embed URLs, of this Looker's own making or of anybody who holds the embed secret. */
export function createSignedUrls(now: () => number, settings: Settings, { secret, algorithm }: EmbedSecret) {
  const usedNonces = new Map<string, number>()

  function signatureOf(host: string, path: string, query: URLSearchParams): Buffer {
    const lines = [host, path, ...SIGNED.flatMap(name => query.get(name) ?? [])]
    const hash = algorithm === 'hmac/sha-1' ? 'sha1' : 'sha256'
    return createHmac(hash, secret).update(lines.join('\n'), 'utf8').digest()
  }
  function useUp(nonce: string): void {
    for (const [used, at] of usedNonces) {
      // Kept in order of use, so the first young one ends the sweep.
      if (now() - at < REMEMBERED_MILLISECONDS) break
      usedNonces.delete(used)
    }
    if (usedNonces.has(nonce)) throw refused("'nonce' has been used already")
    usedNonces.set(nonce, now())
  }

  return {
    sign(target: URL, { externalUserId, sessionSeconds, grant, firstName, lastName }: SignedDefinition): string {
      const content = target.pathname.startsWith('/embed/') ? target.pathname : `/embed${target.pathname}`
      const path = `/login/embed/${encodeURIComponent(content + target.search)}`
      const members: Record<string, unknown> = {
        nonce: randomBytes(16).toString('hex'),
        time: Math.floor(now() / 1000),
        session_length: sessionSeconds,
        external_user_id: externalUserId,
        permissions: [...grant.permissions],
        models: [...grant.models],
        group_ids: [...grant.groupIds],
        external_group_id: grant.externalGroupId,
        user_attributes: grant.attributes,
        access_filters: {},
        first_name: firstName,
        last_name: lastName,
        force_logout_login: true,
      }
      const query = new URLSearchParams()
      for (const [name, value] of Object.entries(members)) {
        if (value !== undefined) query.set(name, JSON.stringify(value))
      }
      query.set('signature', signatureOf(target.host, path, query).toString('base64'))
      return `${target.origin}${path}?${query.toString()}`
    },
    /**
     * What a signed URL grants, once.
     * @param path as it was sent, for that is what was signed
     * @throws LookerFailure 401 for one that does not hold, 400 for one that says nothing to hold
     */
    redeem(host: string, path: string, query: URLSearchParams): SignedDefinition {
      const missing = REQUIRED.filter(name => !query.has(name))
      if (missing.length > 0) throw badRequest(`Missing: ${missing.join(', ')}`)
      const members = readMembers(query)
      const signature = Buffer.from(query.get('signature') ?? '', 'base64')
      const expected = signatureOf(host, path, query)
      if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
        throw refused("'signature' param failed to authenticate")
      }
      const { time, nonce } = members
      if (typeof time !== 'number' || Math.abs(now() - time * 1000) > TOLERATED_MILLISECONDS) {
        throw refused("'time' is more than five minutes from now")
      }
      if (typeof nonce !== 'string' || nonce === '' || nonce.length > 255) throw badRequest("'nonce' must be a string")
      const body = readBody(members)
      const definition = readEmbedDefinition(body, settings)
      const externalUserId = body.requiredText('external_user_id')
      body.check()
      useUp(nonce)
      return { ...definition, externalUserId }
    },
  }
}

/** Every parameter is JSON: a string has its quotes. */
function readMembers(query: URLSearchParams): Record<string, unknown> {
  const members = [...query].filter(([name]) => name !== 'signature')
  return Object.fromEntries(
    members.map(([name, text]) => {
      try {
        return [name, JSON.parse(text)]
      } catch {
        throw badRequest(`'${name}' is not JSON`)
      }
    }),
  )
}
