import { randomBytes } from 'node:crypto'
import { ADMIN_ROLE_ID } from './role-catalogue.ts'

export const CREDENTIAL_TYPES = ['email', 'google', 'saml', 'oidc', 'ldap', 'api3', 'embed', 'looker_openid'] as const
export type CredentialType = (typeof CREDENTIAL_TYPES)[number]

export interface ApiKey {
  readonly id: string
  readonly clientId: string
  readonly clientSecret: string
  readonly createdAt: number
}

/** What the last embed session, or none yet, says of an embed user. A new session replaces it whole. */
export interface EmbedGrant {
  readonly permissions: ReadonlySet<string>
  readonly models: ReadonlySet<string>
  readonly groupIds: ReadonlySet<string>
  readonly attributes: Readonly<Record<string, string>>
  readonly externalGroupId: string | undefined
}

export interface LookerUser {
  readonly id: string
  readonly createdAt: number
  firstName: string | null
  lastName: string | null
  isDisabled: boolean
  loggedInAt: number | undefined
  readonly credentials: ReadonlyMap<CredentialType, string>
  readonly apiKeys: ApiKey[]
  readonly roleIds: Set<string>
  readonly groupIds: Set<string>
  /** Values an administrator gave this user, by the attribute's name. */
  readonly attributes: Map<string, string>
  embed: EmbedGrant | undefined
}

export interface NewUser {
  readonly firstName: string
  readonly lastName: string
  readonly credentials: Partial<Record<CredentialType, string>>
  readonly roleIds?: readonly string[]
}

const NO_GRANT: EmbedGrant = {
  permissions: new Set(),
  models: new Set(),
  groupIds: new Set(),
  attributes: {},
  externalGroupId: undefined,
}

export function createUserStore(now: () => number) {
  const users = new Map<string, LookerUser>()
  const byCredential = new Map<string, LookerUser>()
  let lastUserId = 0
  let lastKeyId = 0

  const credentialKey = (type: CredentialType, id: string): string => `${type}\0${id}`

  function add({ firstName, lastName, credentials, roleIds = [] }: NewUser): LookerUser {
    lastUserId += 1
    const entries = CREDENTIAL_TYPES.flatMap(type => {
      const id = credentials[type]
      return id === undefined ? [] : [[type, id] as const]
    })
    const user: LookerUser = {
      id: String(lastUserId),
      createdAt: now(),
      firstName,
      lastName,
      isDisabled: false,
      loggedInAt: undefined,
      credentials: new Map(entries),
      apiKeys: [],
      roleIds: new Set(roleIds),
      groupIds: new Set(['1']),
      attributes: new Map(),
      embed: credentials.embed === undefined ? undefined : NO_GRANT,
    }
    users.set(user.id, user)
    for (const [type, id] of entries) byCredential.set(credentialKey(type, id), user)
    return user
  }

  return {
    all: (): IterableIterator<LookerUser> => users.values(),
    count: (): number => users.size,
    get: (id: string): LookerUser | undefined => users.get(id),
    byCredential: (type: CredentialType, id: string): LookerUser | undefined =>
      byCredential.get(credentialKey(type, id)),
    add,
    /** The embed user of an external id, made when there is none: without permissions until a session grants some. */
    embedUser(externalUserId: string): LookerUser {
      return (
        byCredential.get(credentialKey('embed', externalUserId)) ??
        // The names Looker documents for an embed user given none.
        add({ firstName: 'Embed', lastName: 'User', credentials: { embed: externalUserId } })
      )
    },
    remove(user: LookerUser): void {
      users.delete(user.id)
      for (const [type, id] of user.credentials) byCredential.delete(credentialKey(type, id))
      for (const key of user.apiKeys) byCredential.delete(credentialKey('api3', key.clientId))
    },
    addApiKey(user: LookerUser, given?: { clientId: string; clientSecret: string }): ApiKey {
      lastKeyId += 1
      const key: ApiKey = {
        id: String(lastKeyId),
        clientId: given?.clientId ?? randomBytes(10).toString('hex'),
        clientSecret: given?.clientSecret ?? randomBytes(12).toString('hex'),
        createdAt: now(),
      }
      user.apiKeys.push(key)
      byCredential.set(credentialKey('api3', key.clientId), user)
      return key
    },
    removeApiKey(user: LookerUser, key: ApiKey): void {
      user.apiKeys.splice(user.apiKeys.indexOf(key), 1)
      byCredential.delete(credentialKey('api3', key.clientId))
    },
  }
}

export type UserStore = ReturnType<typeof createUserStore>

/** The administrator whose key the sidecar holds, and a few people who were there before it. */
export function seedUsers(users: UserStore, service: { clientId: string; clientSecret: string }): LookerUser {
  const administrator = users.add({
    firstName: 'Service',
    lastName: 'Account',
    credentials: {},
    roleIds: [ADMIN_ROLE_ID],
  })
  users.addApiKey(administrator, service)
  users.add({
    firstName: 'Dana',
    lastName: 'Developer',
    credentials: { email: 'dana@example.com', oidc: 'dana' },
    roleIds: ['3'],
  })
  users.add({
    firstName: 'Vera',
    lastName: 'Viewer',
    credentials: { email: 'vera@example.com', google: '1002' },
    roleIds: ['5'],
  })
  return administrator
}
