export interface OauthState {
  readonly accessTokenExpiresAt: number
  /** Absent without a refresh token; `Infinity` for one that does not say. */
  readonly refreshTokenExpiresAt: number | undefined
}

/** Each person's standing at the databases that want a token of their own. The tokens themselves are not kept. */
export function createOauthStates(now: () => number) {
  const states = new Map<string, OauthState>()
  const key = (userId: string, applicationId: string): string => `${userId}\0${applicationId}`
  return {
    set(userId: string, applicationId: string, state: OauthState): void {
      states.set(key(userId, applicationId), state)
    },
    get: (userId: string, applicationId: string): OauthState | undefined => states.get(key(userId, applicationId)),
    /** True while the access token lives, or can be had anew. */
    isUsable(userId: string, applicationId: string): boolean {
      const state = states.get(key(userId, applicationId))
      if (state === undefined) return false
      return state.accessTokenExpiresAt > now() || (state.refreshTokenExpiresAt ?? 0) > now()
    },
  }
}

export type OauthStates = ReturnType<typeof createOauthStates>
