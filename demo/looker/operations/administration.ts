import { type Body, readBody } from '../body.ts'
import { notFound } from '../failure.ts'
import type { Instance } from '../instance.ts'
import { BIGQUERY_APPLICATION_ID } from '../models.ts'
import { type Operation, queryText, queryTexts } from '../operation.ts'
import { RELEASE } from '../release.ts'
import { modelSetDocument, permissionSetDocument, roleDocument } from '../role-document.ts'

const DATE_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/

/** What a person looks at to see how the instance is set up, and what changes that. */
export function administrationOperations(instance: Instance): Operation[] {
  const { catalogue, settings, users, oauthStates, now } = instance
  const applications = [
    {
      can: {},
      id: BIGQUERY_APPLICATION_ID,
      name: 'BigQuery',
      client_id: 'bigquery-client',
      tenant_id: null,
      dialect_name: 'bigquery_standard_sql',
      bi_directional_data_access: null,
      created_at: new Date(now()).toISOString(),
    },
  ]

  return [
    {
      id: 'versions',
      method: 'GET',
      path: '/versions',
      access: 'member',
      answer({ origin }) {
        const current = {
          version: '4.0',
          full_version: `4.0.${RELEASE.split('.').slice(0, 2).join('.')}`,
          status: 'current',
          swagger_url: `${origin}/api/4.0/swagger.json`,
        }
        return {
          looker_release_version: RELEASE,
          current_version: current,
          supported_versions: [current],
          api_server_url: origin,
          web_server_url: origin,
        }
      },
    },
    { id: 'get_setting', method: 'GET', path: '/setting', access: 'admin', answer: () => settings.document() },
    {
      id: 'set_setting',
      method: 'PATCH',
      path: '/setting',
      access: 'admin',
      answer({ body }) {
        settings.update(readBody(body))
        return settings.document()
      },
    },
    {
      id: 'all_roles',
      method: 'GET',
      path: '/roles',
      access: 'admin',
      answer(call) {
        const ids = queryTexts(call, 'ids')
        const roles = [...catalogue.roles.values()].filter(({ id }) => ids === undefined || ids.includes(id))
        return roles.map(roleDocument)
      },
    },
    {
      id: 'all_permission_sets',
      method: 'GET',
      path: '/permission_sets',
      access: 'admin',
      answer: () => catalogue.permissionSets.map(permissionSetDocument),
    },
    {
      id: 'all_model_sets',
      method: 'GET',
      path: '/model_sets',
      access: 'admin',
      answer: () => catalogue.modelSets.map(modelSetDocument),
    },
    {
      id: 'all_external_oauth_applications',
      method: 'GET',
      path: '/external_oauth_applications',
      access: 'admin',
      answer(call) {
        const [name, clientId] = [queryText(call, 'name'), queryText(call, 'client_id')]
        return applications.filter(
          application =>
            (name === undefined || application.name === name) &&
            (clientId === undefined || application.client_id === clientId),
        )
      },
    },
    {
      id: 'create_oauth_application_user_state',
      method: 'POST',
      path: '/external_oauth_applications/user_state',
      access: 'admin',
      answer({ body: json }) {
        const body = readBody(json)
        const userId = body.requiredText('user_id')
        const applicationId = body.requiredText('oauth_application_id')
        body.requiredText('access_token')
        const accessTokenExpiresAt = readTime(body, 'access_token_expires_at')
        if (!body.has('access_token_expires_at')) body.requiredText('access_token_expires_at')
        const refreshToken = body.text('refresh_token')
        const refreshTokenExpiresAt = readTime(body, 'refresh_token_expires_at') ?? Infinity
        body.check()
        if (users.get(userId) === undefined || !applications.some(({ id }) => id === applicationId)) throw notFound()
        // A state that is there is replaced: a sidecar that brings a fresh token has no other way to say so.
        oauthStates.set(userId, applicationId, {
          accessTokenExpiresAt: accessTokenExpiresAt ?? 0,
          refreshTokenExpiresAt: refreshToken === undefined ? undefined : refreshTokenExpiresAt,
        })
        return { user_id: userId, oauth_application_id: applicationId }
      },
    },
  ]
}

function readTime(body: Body, name: string): number | undefined {
  const text = body.text(name)
  if (text === undefined) return undefined
  const time = DATE_TIME.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time)) body.refuse(name, `${name} must be an RFC 3339 date and time`)
  return time
}
