import type { Body } from './body.ts'
import { isTexts } from './body.ts'

interface EmbedConfig {
  domain_allowlist: string[]
  alert_url_allowlist: string[]
  sso_auth_enabled: boolean
  embed_cookieless_v2: boolean
  embed_content_navigation: boolean
  embed_content_management: boolean
  strict_sameorigin_for_login: boolean
  look_filters: boolean
  hide_look_navigation: boolean
  readonly embed_enabled: boolean
}

const EMBED_FLAGS = [
  'sso_auth_enabled',
  'embed_cookieless_v2',
  'embed_content_navigation',
  'embed_content_management',
  'strict_sameorigin_for_login',
  'look_filters',
  'hide_look_navigation',
] as const

const FLAGS = ['extension_framework_enabled', 'allow_user_timezones', 'override_warnings'] as const

export function createSettings(domainAllowlist: readonly string[]) {
  const embed: EmbedConfig = {
    domain_allowlist: [...domainAllowlist],
    alert_url_allowlist: [],
    sso_auth_enabled: true,
    embed_cookieless_v2: true,
    embed_content_navigation: false,
    embed_content_management: false,
    strict_sameorigin_for_login: false,
    look_filters: false,
    hide_look_navigation: false,
    embed_enabled: true,
  }
  const flags = { extension_framework_enabled: true, allow_user_timezones: false, override_warnings: false }
  const texts = { timezone: 'UTC', host_url: '' }

  return {
    embed,
    flags,
    document: () => ({
      ...flags,
      ...texts,
      onboarding_enabled: false,
      marketplace_enabled: false,
      email_domain_allowlist: [],
      embed_enabled: embed.embed_enabled,
      embed_cookieless_v2: embed.embed_cookieless_v2,
      embed_config: { ...embed, domain_allowlist: [...embed.domain_allowlist] },
    }),
    /** Changes only what the body names, in `embed_config` too; nothing at all when any of it is refused. */
    update(body: Body): void {
      const wanted = body.record('embed_config') ?? {}
      const given = Object.entries(wanted).filter(([name, value]) => {
        if (value === null) return false
        if (name === 'domain_allowlist' || name === 'alert_url_allowlist') {
          // An entry with a trailing slash is taken as it is and matches no origin: the best-known mistake in this list.
          if (isTexts(value)) return true
          body.refuse(`embed_config.${name}`, `${name} must be an array of strings`)
        } else if (EMBED_FLAGS.some(flag => flag === name)) {
          if (typeof value === 'boolean') return true
          body.refuse(`embed_config.${name}`, `${name} must be true or false`)
        }
        return false
      })
      const cookieless = body.flag('embed_cookieless_v2')
      const changedFlags = FLAGS.flatMap(name => {
        const value = body.flag(name)
        return value === undefined ? [] : [[name, value]]
      })
      const changedTexts = (['timezone', 'host_url'] as const).flatMap(name => {
        const value = body.text(name)
        return value === undefined ? [] : [[name, value]]
      })
      body.check()
      Object.assign(embed, Object.fromEntries(given))
      if (cookieless !== undefined) embed.embed_cookieless_v2 = cookieless
      Object.assign(flags, Object.fromEntries(changedFlags))
      Object.assign(texts, Object.fromEntries(changedTexts))
    },
  }
}

export type Settings = ReturnType<typeof createSettings>
