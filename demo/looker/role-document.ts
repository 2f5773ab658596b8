import type { Group, ModelSet, PermissionSet, Role } from './role-catalogue.ts'

export const permissionSetDocument = (set: PermissionSet) => ({
  can: {},
  id: set.id,
  name: set.name,
  permissions: set.permissions,
  all_access: set.all,
  built_in: set.all,
  url: null,
})

export const modelSetDocument = (set: ModelSet) => ({
  can: {},
  id: set.id,
  name: set.name,
  models: set.models,
  all_access: set.all,
  built_in: set.all,
  url: null,
})

export const roleDocument = (role: Role) => ({
  can: {},
  id: role.id,
  name: role.name,
  permission_set: permissionSetDocument(role.permissionSet),
  permission_set_id: role.permissionSet.id,
  model_set: modelSetDocument(role.modelSet),
  model_set_id: role.modelSet.id,
  internal: false,
  url: null,
  users_url: null,
})

export const groupDocument = (group: Group, members: number) => ({
  can: {},
  id: group.id,
  name: group.name,
  can_add_to_content_metadata: false,
  external_group_id: null,
  externally_managed: false,
  include_by_default: group.id === '1',
  user_count: members,
})
