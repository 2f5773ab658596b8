import { createAccess } from './access.ts'
import { createAccessTokens } from './access-tokens.ts'
import { createContent } from './content.ts'
import { createEmbedSessions } from './embed-sessions.ts'
import { MODELS } from './models.ts'
import { createOauthStates } from './oauth-states.ts'
import { createQueries } from './queries.ts'
import { createRoleCatalogue } from './role-catalogue.ts'
import { createSettings } from './settings.ts'
import { createSignedUrls, type EmbedSecret } from './signed-urls.ts'
import { createUserStore, type LookerUser, seedUsers } from './users.ts'

export interface InstanceOptions {
  readonly now: () => number
  readonly clientId: string
  readonly clientSecret: string
  readonly domainAllowlist: readonly string[]
  readonly tokenLifeSeconds: number
  readonly embedSecret: EmbedSecret
}

/** Everything one Looker instance remembers, apart from how it is reached. */
export function createInstance(options: InstanceOptions) {
  const { now, clientId, clientSecret, tokenLifeSeconds } = options
  const catalogue = createRoleCatalogue([...MODELS.keys()])
  const users = createUserStore(now)
  const tokens = createAccessTokens(now, tokenLifeSeconds)
  const sessions = createEmbedSessions(now)
  const access = createAccess(catalogue)
  const settings = createSettings(options.domainAllowlist)
  const oauthStates = createOauthStates(now)
  const queries = createQueries(access, oauthStates)

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
    access,
    settings,
    oauthStates,
    queries,
    content: createContent(queries),
    signedUrls: createSignedUrls(now, settings, options.embedSecret),
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
