import { createHmac, randomBytes } from 'node:crypto'
import type { EmbedDefinition } from './embed-definition.ts'

export type SignedDefinition = EmbedDefinition & { readonly externalUserId: string }

/**
 * Signed embed URLs. What a URL grants is kept here under its nonce, so the page that redeems it need not parse it back;
 * the user is made or updated only then, as at Looker.
 */
export function createSignedUrls(now: () => number) {
  const key = randomBytes(32)
  const waiting = new Map<string, SignedDefinition>()

  return {
    sign(target: URL, definition: SignedDefinition): string {
      const path = target.pathname.startsWith('/embed/') ? target.pathname : `/embed${target.pathname}`
      const nonce = randomBytes(16).toString('hex')
      waiting.set(nonce, definition)
      const url = new URL(`/login/embed/${encodeURIComponent(path + target.search)}`, target)
      const { grant } = definition
      const members: [string, unknown][] = [
        ['nonce', nonce],
        ['time', Math.floor(now() / 1000)],
        ['session_length', definition.sessionSeconds],
        ['external_user_id', definition.externalUserId],
        ['permissions', [...grant.permissions]],
        ['models', [...grant.models]],
        ['group_ids', [...grant.groupIds]],
        ['user_attributes', grant.attributes],
      ]
      for (const [name, value] of members) url.searchParams.set(name, JSON.stringify(value))
      const signed = [url.host, url.pathname, ...members.map(([, value]) => JSON.stringify(value))].join('\n')
      url.searchParams.set('signature', createHmac('sha256', key).update(signed).digest('base64'))
      return url.href
    },
    /** What the URL with this nonce grants, once. */
    redeem(nonce: string): SignedDefinition | undefined {
      const definition = waiting.get(nonce)
      waiting.delete(nonce)
      return definition
    },
  }
}

export type SignedUrls = ReturnType<typeof createSignedUrls>
