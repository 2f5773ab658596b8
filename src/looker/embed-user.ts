import type { LookerScope } from '../core/looker-scope.ts'

/** A scope in the words of `acquire_embed_cookieless_session` and `create_sso_embed_url`. */
export function embedUserOf(scope: LookerScope) {
  return {
    external_user_id: scope.externalUserId,
    permissions: [...scope.permissions],
    models: [...scope.models],
    group_ids: [...scope.groupIds],
    user_attributes: { ...scope.userAttributes },
    // Whatever sign-in to Looker the browser has left over is not to show through.
    force_logout_login: true,
    ...(scope.firstName === undefined ? {} : { first_name: scope.firstName }),
    ...(scope.lastName === undefined ? {} : { last_name: scope.lastName }),
  }
}
