import type { Instance } from './instance.ts'
import type { LookerUser } from './users.ts'

/** A user as a test wants to see one; a copy, so it does not change with the user. */
interface UserSnapshot {
  readonly id: string
  readonly externalUserId: string | undefined
  readonly externalGroupId: string | undefined
  readonly firstName: string | null
  readonly lastName: string | null
  readonly isDisabled: boolean
  readonly roleIds: readonly string[]
  readonly groupIds: readonly string[]
  /** What the last embed session granted; empty for others. */
  readonly permissions: readonly string[]
  readonly models: readonly string[]
  /** Values set for this user, by the embed session or an administrator. */
  readonly attributes: Readonly<Record<string, string>>
}

export interface UserRegister {
  /** By external user id. */
  find(externalUserId: string): UserSnapshot | undefined
  get(id: string): UserSnapshot | undefined
  readonly size: number
  /** Ends the user's tokens and embed session too. */
  disable(id: string): void
  enable(id: string): void
  delete(id: string): void
}

export function createUserRegister({ users, access, setDisabled, deleteUser }: Instance): UserRegister {
  function snapshot(user: LookerUser | undefined): UserSnapshot | undefined {
    if (user === undefined) return undefined
    return {
      id: user.id,
      externalUserId: user.credentials.get('embed'),
      externalGroupId: user.embed?.externalGroupId,
      firstName: user.firstName,
      lastName: user.lastName,
      isDisabled: user.isDisabled,
      roleIds: [...user.roleIds],
      groupIds: access.groupIdsOf(user),
      permissions: [...(user.embed?.permissions ?? [])],
      models: [...(user.embed?.models ?? [])],
      attributes: { ...Object.fromEntries(user.attributes), ...user.embed?.attributes },
    }
  }
  function existing(id: string): LookerUser {
    const user = users.get(id)
    if (user === undefined) throw new Error(`The emulated Looker has no user ${id}`)
    return user
  }
  return {
    find: externalUserId => snapshot(users.byCredential('embed', externalUserId)),
    get: id => snapshot(users.get(id)),
    get size() {
      return users.count()
    },
    disable: id => setDisabled(existing(id), true),
    enable: id => setDisabled(existing(id), false),
    delete: id => deleteUser(existing(id)),
  }
}
