/** Permission sets, model sets, roles and groups as a fresh instance has them. `all` stands for the built-in sets. */

export interface PermissionSet {
  readonly id: string
  readonly name: string
  readonly permissions: readonly string[]
  readonly all: boolean
}

export interface ModelSet {
  readonly id: string
  readonly name: string
  readonly models: readonly string[]
  readonly all: boolean
}

export interface Role {
  readonly id: string
  readonly name: string
  readonly permissionSet: PermissionSet
  readonly modelSet: ModelSet
}

export interface Group {
  readonly id: string
  readonly name: string
  readonly roleIds: readonly string[]
  readonly attributes: Readonly<Record<string, string>>
}

export const ADMIN_ROLE_ID = '2'

const VIEWER = ['access_data', 'see_looks', 'see_lookml_dashboards', 'see_user_dashboards', 'see_drill_overlay']
const USER = [...VIEWER, 'explore', 'save_content', 'create_table_calculations', 'download_with_limit']
const DEVELOPER = [...USER, 'see_lookml', 'develop', 'see_sql', 'use_sql_runner']

// What the built-in "all" set spells out when it is listed; nobody is judged by it.
const EVERY_PERMISSION = [...DEVELOPER, 'administer', 'see_users', 'manage_models', 'sudo', 'see_queries']

export function createRoleCatalogue(modelNames: readonly string[]) {
  const permissionSet = (id: string, name: string, permissions: readonly string[], all = false): PermissionSet => ({
    id,
    name,
    permissions,
    all,
  })
  const admin = permissionSet('1', 'Admin', EVERY_PERMISSION, true)
  const developer = permissionSet('2', 'Developer', DEVELOPER)
  const user = permissionSet('3', 'User', USER)
  const viewer = permissionSet('4', 'Viewer', VIEWER)

  const everything: ModelSet = { id: '1', name: 'All', models: modelNames, all: true }
  const shop: ModelSet = { id: '2', name: 'Shop', models: ['thelook'], all: false }
  const finance: ModelSet = { id: '3', name: 'Finance', models: ['finance'], all: false }

  const roles: Role[] = [
    { id: ADMIN_ROLE_ID, name: 'Admin', permissionSet: admin, modelSet: everything },
    { id: '3', name: 'Developer', permissionSet: developer, modelSet: everything },
    { id: '4', name: 'Shop explorer', permissionSet: user, modelSet: shop },
    { id: '5', name: 'Shop viewer', permissionSet: viewer, modelSet: shop },
    { id: '6', name: 'Finance explorer', permissionSet: user, modelSet: finance },
  ]
  const groups: Group[] = [
    { id: '1', name: 'All Users', roleIds: [], attributes: {} },
    { id: '8', name: 'Analysts', roleIds: [], attributes: {} },
    { id: '9', name: 'Finance', roleIds: ['6'], attributes: { department: 'treasury' } },
  ]
  return {
    permissionSets: [admin, developer, user, viewer],
    modelSets: [everything, shop, finance],
    roles: new Map(roles.map(role => [role.id, role])),
    groups: new Map(groups.map(group => [group.id, group])),
  }
}

export type RoleCatalogue = ReturnType<typeof createRoleCatalogue>
