import type { Body } from './body.ts'
import type { EmbedSession } from './embed-sessions.ts'
import { forbidden } from './failure.ts'
import type { Instance } from './instance.ts'
import type { Settings } from './settings.ts'
import type { EmbedGrant } from './users.ts'

const DEFAULT_SESSION_SECONDS = 300
const LONGEST_SESSION_SECONDS = 2_592_000

// Looker filters what an embed session asks for to what embedding allows; an administrator's powers are not among it.
const EMBED_PERMISSIONS: ReadonlySet<string> = new Set([
  'access_data',
  'see_lookml_dashboards',
  'see_looks',
  'see_user_dashboards',
  'see_drill_overlay',
  'see_sql',
  'explore',
  'create_table_calculations',
  'create_custom_fields',
  'can_create_forecast',
  'save_content',
  'save_dashboards',
  'save_looks',
  'embed_browse_spaces',
  'embed_save_shared_space',
  'download_with_limit',
  'download_without_limit',
  'schedule_look_emails',
  'schedule_external_look_emails',
  'send_to_integration',
  'send_to_s3',
  'send_to_sftp',
  'send_outgoing_webhook',
  'create_alerts',
  'follow_alerts',
  'clear_cache_refresh',
  'gemini_in_looker',
  'chat_with_explore',
  'chat_with_agent',
])

/** The embed user and session that `acquire` and `create_sso_embed_url` describe in the same words. */
export interface EmbedDefinition {
  readonly externalUserId: string | undefined
  readonly sessionSeconds: number
  readonly embedDomain: string | undefined
  readonly firstName: string | undefined
  readonly lastName: string | undefined
  readonly grant: EmbedGrant
}

/** Reads the definition; the caller still has to `check` the body. */
export function readEmbedDefinition(body: Body, settings: Settings): EmbedDefinition {
  const sessionSeconds = body.number('session_length') ?? DEFAULT_SESSION_SECONDS
  if (!Number.isInteger(sessionSeconds) || sessionSeconds < 1 || sessionSeconds > LONGEST_SESSION_SECONDS) {
    body.refuse('session_length', `session_length must be a whole number from 1 to ${LONGEST_SESSION_SECONDS}`)
  }
  if (body.has('user_timezone') && !settings.flags.allow_user_timezones) {
    body.refuse('user_timezone', 'user_timezone must be omitted while user specific timezones are disabled')
  }
  body.flag('force_logout_login')
  const externalUserId = body.text('external_user_id')
  return {
    externalUserId: externalUserId === '' ? undefined : externalUserId,
    sessionSeconds,
    embedDomain: body.text('embed_domain'),
    firstName: body.text('first_name'),
    lastName: body.text('last_name'),
    grant: {
      permissions: new Set(body.texts('permissions')?.filter(name => EMBED_PERMISSIONS.has(name))),
      models: new Set(body.texts('models')),
      groupIds: new Set(body.texts('group_ids')),
      attributes: readAttributes(body),
      externalGroupId: body.text('external_group_id'),
    },
  }
}

function readAttributes(body: Body): Record<string, string> {
  const given = Object.entries(body.record('user_attributes') ?? {}).filter(([, value]) => value !== null)
  // Attributes hold text; numbers and flags come as JSON ones often enough, a list or an object is a mistake.
  if (given.some(([, value]) => typeof value === 'object')) {
    body.refuse('user_attributes', 'user_attributes must hold plain values')
  }
  return Object.fromEntries(given.map(([name, value]) => [name, String(value)]))
}

/** Makes or updates the embed user and begins their session, which ends the one before. */
export function beginEmbedSession(
  { users, sessions }: Instance,
  externalUserId: string,
  definition: EmbedDefinition,
  userAgent: string,
): EmbedSession {
  const user = users.embedUser(externalUserId)
  if (user.isDisabled) throw forbidden('The user is disabled')
  user.firstName = definition.firstName ?? user.firstName
  user.lastName = definition.lastName ?? user.lastName
  // Replaces, never adds to, what an earlier session granted.
  user.embed = definition.grant
  const { sessionSeconds: seconds, embedDomain } = definition
  return sessions.begin({ id: user.id, externalUserId }, { seconds, userAgent, embedDomain })
}
