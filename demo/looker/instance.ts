import { createAccess } from './access.ts'
import { createAccessTokens } from './access-tokens.ts'
import { createEmbedSessions } from './embed-sessions.ts'
import { MODELS } from './models.ts'
import { createRoleCatalogue } from './role-catalogue.ts'
import { createSettings } from './settings.ts'
import { createUserStore, type LookerUser, seedUsers } from './users.ts'

export interface InstanceOptions {
  readonly now: () => number
  readonly clientId: string
  readonly clientSecret: string
  readonly domainAllowlist: readonly string[]
  readonly tokenLifeSeconds: number
}

/** Everything one Looker instance remembers about people, apart from how it is reached. */
export function createInstance({ now, clientId, clientSecret, domainAllowlist, tokenLifeSeconds }: InstanceOptions) {
  const catalogue = createRoleCatalogue([...MODELS.keys()])
  const users = createUserStore(now)
  const tokens = createAccessTokens(now, tokenLifeSeconds)
  const sessions = createEmbedSessions(now)

  function signOut(user: LookerUser): void {
    tokens.revoke(user.id)
    sessions.endOfUser(user.id)
  }
  return {
    now,
    tokenLifeSeconds,
    catalogue,
    users,
    tokens,
    sessions,
    serviceUser: seedUsers(users, { clientId, clientSecret }),
    access: createAccess(catalogue),
    settings: createSettings(domainAllowlist),
    setDisabled: (user: LookerUser, disabled: boolean): void => {
      user.isDisabled = disabled
      if (disabled) signOut(user)
    },
    deleteUser: (user: LookerUser): void => {
      signOut(user)
      users.remove(user)
    },
  }
}

export type Instance = ReturnType<typeof createInstance>
