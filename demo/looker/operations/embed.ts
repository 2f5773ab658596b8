import { readBody } from '../body.ts'
import { beginEmbedSession, readEmbedDefinition } from '../embed-definition.ts'
import { notFound } from '../failure.ts'
import type { Instance } from '../instance.ts'
import { type Operation, param } from '../operation.ts'

export function embedOperations(instance: Instance): Operation[] {
  const { sessions, settings, signedUrls } = instance

  // An instance without the feature has no such operation: the 404 that acquire is best known for.
  function requireCookieless(): void {
    if (!settings.embed.embed_enabled || !settings.embed.embed_cookieless_v2) throw notFound()
  }

  return [
    {
      id: 'acquire_embed_cookieless_session',
      method: 'POST',
      path: '/embed/cookieless_session/acquire',
      access: 'admin',
      answer({ body: json, userAgent }) {
        requireCookieless()
        const body = readBody(json)
        const reference = body.text('session_reference_token') ?? ''
        const definition = readEmbedDefinition(body, settings)
        const live = sessions.live(reference)
        if (live !== undefined) {
          body.check()
          const { externalUserId } = definition
          if (externalUserId !== undefined && externalUserId !== live.externalUserId) throw notFound()
          // Joined as it stands: Looker neither updates the user nor extends the session here.
          return sessions.join(live)
        }
        const externalUserId = body.requiredText('external_user_id')
        body.check()
        return sessions.join(beginEmbedSession(instance, externalUserId, definition, userAgent))
      },
    },
    {
      id: 'generate_tokens_for_cookieless_session',
      method: 'PUT',
      path: '/embed/cookieless_session/generate_tokens',
      access: 'admin',
      answer({ body: json, userAgent }) {
        requireCookieless()
        const body = readBody(json)
        const reference = body.requiredText('session_reference_token')
        const given = { navigationToken: body.text('navigation_token'), apiToken: body.text('api_token') }
        body.check()
        return sessions.generate(reference, given, userAgent)
      },
    },
    {
      id: 'delete_embed_cookieless_session',
      method: 'DELETE',
      path: '/embed/cookieless_session/:session_reference_token',
      secretPath: true,
      access: 'admin',
      answer(call) {
        requireCookieless()
        sessions.endByReference(param(call, 'session_reference_token'))
      },
    },
    {
      id: 'create_sso_embed_url',
      method: 'POST',
      path: '/embed/sso_url',
      access: 'admin',
      answer({ body: json }) {
        if (!settings.embed.embed_enabled || !settings.embed.sso_auth_enabled) throw notFound()
        const body = readBody(json)
        const target = body.requiredText('target_url')
        const definition = readEmbedDefinition(body, settings)
        const externalUserId = body.requiredText('external_user_id')
        if (target !== '' && !isWebUrl(target)) body.refuse('target_url', 'target_url must be a complete URL')
        body.check()
        if (definition.embedDomain !== undefined && isWebUrl(definition.embedDomain)) {
          const { origin } = new URL(definition.embedDomain)
          // As Looker documents: a domain given here is let in for good, so it must never be the browser's to choose.
          if (!settings.embed.domain_allowlist.includes(origin)) settings.embed.domain_allowlist.push(origin)
        }
        return { url: signedUrls.sign(new URL(target), { ...definition, externalUserId }) }
      },
    },
  ]
}

function isWebUrl(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && ['http:', 'https:'].includes(url.protocol)
}
