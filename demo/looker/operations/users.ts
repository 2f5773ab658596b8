import { badRequest, invalid, notFound } from '../failure.ts'
import { isTexts, readBody } from '../body.ts'
import type { Instance } from '../instance.ts'
import { type Call, type Operation, page, param, queryText, queryTexts } from '../operation.ts'
import { roleDocument } from '../role-document.ts'
import { publicUserDocument, userDocument } from '../user-document.ts'
import { CREDENTIAL_TYPES, type LookerUser } from '../users.ts'

export function userOperations({ users, access, catalogue, setDisabled, deleteUser }: Instance): Operation[] {
  const document = (user: LookerUser) => userDocument(user, access)

  function find(call: Call): LookerUser {
    const user = users.get(param(call, 'user_id'))
    if (user === undefined) throw notFound()
    return user
  }

  function search(call: Call): LookerUser[] {
    const criteria: [string, (user: LookerUser) => string][] = [
      ['id', user => user.id],
      ['first_name', user => user.firstName ?? ''],
      ['last_name', user => user.lastName ?? ''],
      ['email', user => user.credentials.get('email') ?? ''],
      ['embed_user', user => String(user.credentials.has('embed'))],
      ['is_disabled', user => String(user.isDisabled)],
    ]
    const wanted = criteria.flatMap(([name, read]) => {
      const text = queryText(call, name)
      return text === undefined ? [] : [(user: LookerUser) => matches(read(user), text)]
    })
    const groupId = queryText(call, 'group_id')
    if (groupId !== undefined) wanted.push(user => access.groupIdsOf(user).includes(groupId))
    const any = queryText(call, 'filter_or') === 'true' && wanted.length > 0
    return [...users.all()].filter(user => (any ? wanted.some(test => test(user)) : wanted.every(test => test(user))))
  }

  return [
    { id: 'me', method: 'GET', path: '/user', access: 'member', answer: (_call, { user }) => document(user) },
    {
      id: 'all_users',
      method: 'GET',
      path: '/users',
      access: 'admin',
      answer(call) {
        const ids = queryTexts(call, 'ids')
        const list = [...users.all()].filter(user => ids === undefined || ids.includes(user.id))
        return page(call, list).map(document)
      },
    },
    {
      id: 'search_users',
      method: 'GET',
      path: '/users/search',
      access: 'admin',
      answer: call => page(call, search(call)).map(document),
    },
    {
      id: 'user',
      method: 'GET',
      path: '/users/:user_id',
      access: 'member',
      answer(call, caller) {
        const user = find(call)
        if (user.id !== caller.user.id && !access.isAdmin(caller.user)) throw notFound()
        return document(user)
      },
    },
    {
      id: 'user_for_credential',
      method: 'GET',
      path: '/users/credential/:credential_type/:credential_id',
      access: 'admin',
      answer(call) {
        const type = CREDENTIAL_TYPES.find(type => type === param(call, 'credential_type'))
        if (type === undefined) throw badRequest('Unknown credential type')
        const user = users.byCredential(type, param(call, 'credential_id'))
        if (user === undefined) throw notFound()
        return document(user)
      },
    },
    {
      id: 'create_embed_user',
      method: 'POST',
      path: '/users/embed_user',
      access: 'admin',
      answer({ body: json }) {
        const body = readBody(json)
        const externalUserId = body.text('external_user_id')
        // 422 is not among what this operation declares, so a missing id is a bad request.
        if (externalUserId === undefined || externalUserId === '') throw badRequest('external_user_id is required')
        return publicUserDocument(users.embedUser(externalUserId), access)
      },
    },
    {
      id: 'update_user',
      method: 'PATCH',
      path: '/users/:user_id',
      access: 'admin',
      answer(call) {
        const user = find(call)
        const body = readBody(call.body)
        const [firstName, lastName] = [body.text('first_name'), body.text('last_name')]
        const [locale, isDisabled] = [body.text('locale'), body.flag('is_disabled')]
        body.check()
        if (body.has('first_name')) user.firstName = firstName ?? null
        if (body.has('last_name')) user.lastName = lastName ?? null
        if (locale !== undefined) user.attributes.set('locale', locale)
        if (isDisabled !== undefined) setDisabled(user, isDisabled)
        return document(user)
      },
    },
    {
      id: 'delete_user',
      method: 'DELETE',
      path: '/users/:user_id',
      access: 'admin',
      answer: call => deleteUser(find(call)),
    },
    {
      id: 'user_roles',
      method: 'GET',
      path: '/users/:user_id/roles',
      access: 'admin',
      answer(call) {
        const user = find(call)
        const direct = queryText(call, 'direct_association_only') === 'true'
        const roles = access.rolesOf(user).filter(role => !direct || user.roleIds.has(role.id))
        return roles.map(roleDocument)
      },
    },
    {
      id: 'set_user_roles',
      method: 'PUT',
      path: '/users/:user_id/roles',
      access: 'admin',
      answer(call) {
        const user = find(call)
        if (!isTexts(call.body)) throw badRequest('A JSON array of role ids is expected')
        const unknown = call.body.find(id => !catalogue.roles.has(id))
        if (unknown !== undefined) {
          throw invalid({ field: 'role_ids', code: 'invalid_value', message: `No role ${unknown}` })
        }
        user.roleIds.clear()
        for (const id of call.body) user.roleIds.add(id)
        return access.rolesOf(user).map(roleDocument)
      },
    },
  ]
}

/** Looker's search: case does not matter, `%` stands for anything. */
function matches(value: string, pattern: string): boolean {
  const parts = pattern.split('%').map(part => part.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`))
  return new RegExp(`^${parts.join('.*')}$`, 'is').test(value)
}
