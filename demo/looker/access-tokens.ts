import { createSecretToken } from './secret-token.ts'

export interface AccessTokens {
  issue(userId: string): string
  /** The holder's user id, or `undefined` for a token that lapsed, was ended or never was. */
  holder(token: string): string | undefined
  end(token: string): void
  /** Ends every token of a user, or every token there is. */
  readonly revoke: (userId?: string) => void
  /** How many tokens are live, of one user or of all. */
  readonly count: (userId?: string) => number
}

interface Grant {
  readonly userId: string
  readonly expiresAt: number
}

export function createAccessTokens(now: () => number, lifeSeconds: number): AccessTokens {
  const grants = new Map<string, Grant>()
  const byUser = new Map<string, Set<string>>()

  function end(token: string): void {
    const grant = grants.get(token)
    if (grant === undefined) return
    grants.delete(token)
    const held = byUser.get(grant.userId)
    held?.delete(token)
    if (held?.size === 0) byUser.delete(grant.userId)
  }
  function liveTokens(tokens: Iterable<string>): number {
    let live = 0
    for (const token of tokens) if ((grants.get(token)?.expiresAt ?? 0) > now()) live += 1
    return live
  }

  return {
    issue(userId) {
      const token = createSecretToken()
      grants.set(token, { userId, expiresAt: now() + lifeSeconds * 1000 })
      const held = byUser.get(userId)
      if (held === undefined) byUser.set(userId, new Set([token]))
      else held.add(token)
      return token
    },
    holder(token) {
      const grant = grants.get(token)
      if (grant === undefined) return undefined
      if (grant.expiresAt > now()) return grant.userId
      end(token)
      return undefined
    },
    end,
    revoke: userId => {
      if (userId === undefined) {
        grants.clear()
        byUser.clear()
        return
      }
      for (const token of byUser.get(userId) ?? []) grants.delete(token)
      byUser.delete(userId)
    },
    count: userId => liveTokens(userId === undefined ? grants.keys() : (byUser.get(userId) ?? [])),
  }
}
