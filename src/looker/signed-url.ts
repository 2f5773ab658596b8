import { createHmac } from 'node:crypto'
import type { LookerScope } from '../core/looker-scope.ts'
import type { Secret } from '../core/secret.ts'
import { embedUserOf } from './embed-user.ts'

/** How an embed secret signs, in Looker's words. */
export type EmbedAlgorithm = 'hmac/sha-256' | 'hmac/sha-1'

const HASHES = { 'hmac/sha-256': 'sha256', 'hmac/sha-1': 'sha1' } as const

export interface SignedUrlParts {
  /** Where Looker's pages are. */
  readonly webUrl: string
  /** Path and query of the content, such as /embed/dashboards/42?Region=EMEA. */
  readonly target: string
  readonly scope: LookerScope
  readonly sessionLengthSeconds: number
  /** Seconds since the epoch; Looker takes it within five minutes of its own. */
  readonly time: number
  /** Never used again: it makes the URL good for one use. */
  readonly nonce: string
  readonly secret: Secret
  readonly algorithm: EmbedAlgorithm
}

/**
 * A signed embed URL, as Looker's documentation of signed embedding has it: each parameter is JSON; host, path and the
 * parameters up to `access_filters`, in this order, are signed line by line; what is behind them is not.
 */
export function signEmbedUrl(parts: SignedUrlParts): string {
  const { force_logout_login, first_name, last_name, ...user } = embedUserOf(parts.scope)
  const { origin, host } = new URL(parts.webUrl)
  const path = `/login/embed/${encodeURIComponent(parts.target)}`
  const signed: [string, unknown][] = [
    ['nonce', parts.nonce],
    ['time', parts.time],
    ['session_length', parts.sessionLengthSeconds],
    ['external_user_id', user.external_user_id],
    ['permissions', user.permissions],
    ['models', user.models],
    ['group_ids', user.group_ids],
    ['user_attributes', user.user_attributes],
    // Attributes took its place long ago; Looker misses it all the same where it is not there.
    ['access_filters', {}],
  ]
  const text = [host, path, ...signed.map(([, value]) => JSON.stringify(value))].join('\n')
  const signature = createHmac(HASHES[parts.algorithm], parts.secret.reveal()).update(text, 'utf8').digest('base64')
  const query = [...signed, ...Object.entries({ force_logout_login, first_name, last_name })]
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(JSON.stringify(value))}`)
  return `${origin}${path}?${query.join('&')}&signature=${encodeURIComponent(signature)}`
}
