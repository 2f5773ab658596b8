import type { Access } from './access.ts'
import type { ApiKey, CredentialType, LookerUser } from './users.ts'

const timestamp = (milliseconds: number | undefined): string | null =>
  milliseconds === undefined ? null : new Date(milliseconds).toISOString()

const AVATAR_URL = 'https://gravatar.lookercdn.com/avatar/none?s=156&d=blank'

export function apiKeyDocument(key: ApiKey) {
  return {
    can: {},
    id: key.id,
    client_id: key.clientId,
    created_at: timestamp(key.createdAt),
    is_disabled: false,
    type: 'api3',
    purpose: null,
    url: null,
  }
}

/** A user as Looker's `User`. Members about credentials the user has not are absent or empty, as they are there. */
export function userDocument(user: LookerUser, access: Access) {
  const embedId = user.credentials.get('embed')
  const email = user.credentials.get('email')
  const displayName = [user.firstName, user.lastName].filter(name => name !== null && name !== '').join(' ')
  const shared = {
    can: {},
    created_at: timestamp(user.createdAt),
    is_disabled: user.isDisabled,
    logged_in_at: timestamp(user.loggedInAt),
    url: null,
  }
  const external = (type: CredentialType, member: string, idMember: string) => {
    const id = user.credentials.get(type)
    return id === undefined ? {} : { [member]: { ...shared, type, [idMember]: id, email: email ?? null } }
  }
  return {
    can: {},
    id: user.id,
    first_name: user.firstName,
    last_name: user.lastName,
    display_name: displayName === '' ? null : displayName,
    email: email ?? null,
    avatar_url: AVATAR_URL,
    avatar_url_without_sizing: AVATAR_URL,
    credentials_api3: user.apiKeys.map(apiKeyDocument),
    credentials_embed:
      embedId === undefined
        ? []
        : [
            {
              ...shared,
              // An embed user has one such credential; its id is Looker's own and means nothing outside.
              id: user.id,
              external_user_id: embedId,
              external_group_id: user.embed?.externalGroupId ?? null,
              type: 'embed',
            },
          ],
    ...(email === undefined
      ? {}
      : { credentials_email: { ...shared, email, user_id: user.id, type: 'email', user_url: null } }),
    ...external('google', 'credentials_google', 'google_user_id'),
    ...external('saml', 'credentials_saml', 'saml_user_id'),
    ...external('oidc', 'credentials_oidc', 'oidc_user_id'),
    ...external('ldap', 'credentials_ldap', 'ldap_id'),
    group_ids: access.groupIdsOf(user),
    role_ids: [...user.roleIds],
    home_folder_id: '1',
    personal_folder_id: null,
    is_disabled: user.isDisabled,
    locale: access.attribute(user, 'locale')?.value ?? null,
    looker_versions: [],
    models_dir_validated: null,
    presumed_looker_employee: false,
    verified_looker_employee: false,
    roles_externally_managed: false,
    allow_direct_roles: true,
    allow_normal_group_membership: true,
    allow_roles_from_normal_groups: true,
    embed_group_folder_id: null,
    is_iam_admin: false,
    can_manage_api3_creds: false,
    is_service_account: false,
    service_account_name: null,
    sessions: [],
    ui_state: null,
    url: null,
  }
}

export function publicUserDocument(user: LookerUser, access: Access) {
  const { can, id, first_name, last_name, display_name, avatar_url, url } = userDocument(user, access)
  return { can, id, first_name, last_name, display_name, avatar_url, url }
}
