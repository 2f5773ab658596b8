import { readBody } from '../body.ts'
import { badRequest, notFound } from '../failure.ts'
import type { Instance } from '../instance.ts'
import { type Call, type Operation, page, param, queryText, queryTexts } from '../operation.ts'
import { groupDocument } from '../role-document.ts'
import { USER_ATTRIBUTES, type UserAttribute } from '../user-attributes.ts'
import { userDocument } from '../user-document.ts'
import type { LookerUser } from '../users.ts'

/** Groups and user attribute values: what a user is given besides roles. */
export function membershipOperations({ users, access, catalogue }: Instance): Operation[] {
  function findUser(id: string): LookerUser {
    const user = users.get(id)
    if (user === undefined) throw notFound()
    return user
  }
  function findGroup(call: Call) {
    const group = catalogue.groups.get(param(call, 'group_id'))
    if (group === undefined) throw notFound()
    return group
  }
  function findAttribute(call: Call): UserAttribute {
    const attribute = USER_ATTRIBUTES.find(({ id }) => id === param(call, 'user_attribute_id'))
    if (attribute === undefined) throw notFound()
    return attribute
  }
  function memberCounts(): Map<string, number> {
    const counts = new Map<string, number>()
    for (const user of users.all()) {
      for (const id of access.groupIdsOf(user)) counts.set(id, (counts.get(id) ?? 0) + 1)
    }
    return counts
  }
  function valueDocument(user: LookerUser, attribute: UserAttribute) {
    const found = access.attribute(user, attribute.name)
    return {
      can: {},
      name: attribute.name,
      label: attribute.label,
      rank: USER_ATTRIBUTES.indexOf(attribute) + 1,
      value: found?.value ?? null,
      user_id: user.id,
      user_can_edit: false,
      value_is_hidden: false,
      user_attribute_id: attribute.id,
      source: found?.source ?? null,
      hidden_value_domain_whitelist: null,
    }
  }

  return [
    {
      id: 'all_groups',
      method: 'GET',
      path: '/groups',
      access: 'admin',
      answer(call) {
        const ids = queryTexts(call, 'ids')
        const counts = memberCounts()
        const groups = [...catalogue.groups.values()].filter(({ id }) => ids === undefined || ids.includes(id))
        return page(call, groups).map(group => groupDocument(group, counts.get(group.id) ?? 0))
      },
    },
    {
      id: 'add_group_user',
      method: 'POST',
      path: '/groups/:group_id/users',
      access: 'admin',
      answer(call) {
        const group = findGroup(call)
        const userId = readBody(call.body).text('user_id')
        // 422 is not among what this operation declares.
        if (userId === undefined || userId === '') throw badRequest('user_id is required')
        const user = findUser(userId)
        user.groupIds.add(group.id)
        return userDocument(user, access)
      },
    },
    {
      id: 'delete_group_user',
      method: 'DELETE',
      path: '/groups/:group_id/users/:user_id',
      access: 'admin',
      answer(call) {
        const group = findGroup(call)
        const user = findUser(param(call, 'user_id'))
        if (!access.groupIdsOf(user).includes(group.id)) throw notFound()
        user.groupIds.delete(group.id)
        if (user.embed !== undefined) {
          user.embed = { ...user.embed, groupIds: new Set([...user.embed.groupIds].filter(id => id !== group.id)) }
        }
      },
    },
    {
      id: 'all_user_attributes',
      method: 'GET',
      path: '/user_attributes',
      access: 'admin',
      answer: () => USER_ATTRIBUTES.map(attributeDocument),
    },
    {
      id: 'user_attribute_user_values',
      method: 'GET',
      path: '/users/:user_id/attribute_values',
      access: 'member',
      answer(call, caller) {
        const user = findUser(param(call, 'user_id'))
        if (user.id !== caller.user.id && !access.isAdmin(caller.user)) throw notFound()
        const ids = queryTexts(call, 'user_attribute_ids')
        const withUnset = queryText(call, 'include_unset') === 'true'
        return USER_ATTRIBUTES.filter(({ id }) => ids === undefined || ids.includes(id))
          .map(attribute => valueDocument(user, attribute))
          .filter(({ value }) => withUnset || value !== null)
      },
    },
    {
      id: 'set_user_attribute_user_value',
      method: 'PATCH',
      path: '/users/:user_id/attribute_values/:user_attribute_id',
      access: 'admin',
      answer(call) {
        const user = findUser(param(call, 'user_id'))
        const attribute = findAttribute(call)
        const body = readBody(call.body)
        const value = body.text('value')
        if (value === undefined) body.refuse('value', 'value is required')
        body.check()
        user.attributes.set(attribute.name, value ?? '')
        return valueDocument(user, attribute)
      },
    },
    {
      id: 'delete_user_attribute_user_value',
      method: 'DELETE',
      path: '/users/:user_id/attribute_values/:user_attribute_id',
      access: 'admin',
      answer(call) {
        const user = findUser(param(call, 'user_id'))
        if (!user.attributes.delete(findAttribute(call).name)) throw notFound()
      },
    },
  ]
}

function attributeDocument(attribute: UserAttribute) {
  return {
    can: {},
    id: attribute.id,
    name: attribute.name,
    label: attribute.label,
    type: 'string',
    default_value: attribute.defaultValue,
    is_system: attribute.isSystem,
    is_permanent: attribute.isSystem,
    value_is_hidden: false,
    user_can_view: true,
    user_can_edit: false,
    hidden_value_domain_whitelist: null,
  }
}
