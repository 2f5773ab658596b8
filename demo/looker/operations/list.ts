import type { FaultSource } from '../faults.ts'
import type { Instance } from '../instance.ts'
import type { Operation } from '../operation.ts'
import { createQueryTasks } from '../query-tasks.ts'
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
export function listOperations(instance: Instance, faults: FaultSource): Operation[] {
  const { access, queries } = instance
  return [
    ...loginOperations(instance, faults),
    ...userOperations(instance),
    ...membershipOperations(instance),
    ...apiKeyOperations(instance),
    ...embedOperations(instance),
    ...administrationOperations(instance),
    ...queryOperations(access, queries, createQueryTasks(instance.now)),
    ...contentOperations(access, queries, instance.content),
    ...modelOperations(access),
  ]
}
