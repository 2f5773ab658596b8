import { ADMIN_ROLE_ID, type RoleCatalogue } from './role-catalogue.ts'
import { USER_ATTRIBUTES } from './user-attributes.ts'
import type { LookerUser } from './users.ts'

export interface AttributeValue {
  readonly value: string
  /** Looker's own words for where a value comes from. */
  readonly source: string
}

/** What a user may do, worked out at each call: a changed role, group or embed grant counts at once, for old tokens too. */
export function createAccess({ roles, groups }: RoleCatalogue) {
  function groupIdsOf(user: LookerUser): string[] {
    const asked = [...user.groupIds, ...(user.embed?.groupIds ?? [])]
    // Group ids of an embed user are not validated by Looker: one that does not exist gives nothing.
    return [...new Set(asked)].filter(id => groups.has(id))
  }
  function rolesOf(user: LookerUser) {
    const ids = new Set(user.roleIds)
    for (const groupId of groupIdsOf(user)) for (const id of groups.get(groupId)?.roleIds ?? []) ids.add(id)
    return [...ids].flatMap(id => roles.get(id) ?? [])
  }

  return {
    groupIdsOf,
    rolesOf,
    isAdmin: (user: LookerUser): boolean => user.roleIds.has(ADMIN_ROLE_ID),
    /** True when one role, or the embed grant, holds every permission for the model: they do not add up across roles. */
    can(user: LookerUser, permissions: readonly string[], model: string): boolean {
      const { embed } = user
      if (embed?.models.has(model) && permissions.every(name => embed.permissions.has(name))) return true
      return rolesOf(user).some(
        ({ permissionSet, modelSet }) =>
          (modelSet.all || modelSet.models.includes(model)) &&
          (permissionSet.all || permissions.every(name => permissionSet.permissions.includes(name))),
      )
    },
    attribute(user: LookerUser, name: string): AttributeValue | undefined {
      const embedded = user.embed?.attributes[name]
      if (embedded !== undefined) return { value: embedded, source: 'Embed' }
      const own = user.attributes.get(name)
      if (own !== undefined) return { value: own, source: 'User' }
      for (const groupId of groupIdsOf(user)) {
        const group = groups.get(groupId)
        const value = group?.attributes[name]
        if (group !== undefined && value !== undefined) return { value, source: `Group: ${group.name}` }
      }
      const fallback = USER_ATTRIBUTES.find(attribute => attribute.name === name)?.defaultValue
      return fallback === undefined || fallback === null ? undefined : { value: fallback, source: 'Default' }
    },
  }
}

export type Access = ReturnType<typeof createAccess>
