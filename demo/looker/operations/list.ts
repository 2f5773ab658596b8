import { createContent } from '../content.ts'
import type { FaultSource } from '../faults.ts'
import type { Instance } from '../instance.ts'
import { createOauthStates } from '../oauth-states.ts'
import type { Operation } from '../operation.ts'
import { createQueries } from '../queries.ts'
import { createQueryTasks } from '../query-tasks.ts'
import type { SignedUrls } from '../signed-urls.ts'
import { administrationOperations } from './administration.ts'
import { apiKeyOperations } from './api-keys.ts'
import { contentOperations } from './content.ts'
import { embedOperations } from './embed.ts'
import { loginOperations } from './login.ts'
import { membershipOperations } from './memberships.ts'
import { modelOperations } from './models.ts'
import { queryOperations } from './queries.ts'
import { userOperations } from './users.ts'

/** Every operation the emulated Looker answers. */
export function listOperations(instance: Instance, faults: FaultSource, signedUrls: SignedUrls): Operation[] {
  const { access, now } = instance
  const oauthStates = createOauthStates(now)
  const queries = createQueries(access, oauthStates)
  return [
    ...loginOperations(instance, faults),
    ...userOperations(instance),
    ...membershipOperations(instance),
    ...apiKeyOperations(instance),
    ...embedOperations(instance, signedUrls),
    ...administrationOperations(instance, oauthStates),
    ...queryOperations(access, queries, createQueryTasks(now)),
    ...contentOperations(access, queries, createContent(queries)),
    ...modelOperations(access),
  ]
}
