import type { AdapterFactory, AdapterPayload } from 'oidc-provider'

interface Entry {
  payload: AdapterPayload
  expiresAtMs: number
}

/**
 * Where the provider keeps sessions, codes, grants and opaque tokens. It lives outside the provider, so that a provider
 * made anew (other keys, other clients) still knows everybody who has signed in.
 */
export function createMemoryStore(): AdapterFactory {
  const models = new Map<string, Map<string, Entry>>()
  // Every introspection of a session-bound token looks its session up by uid.
  const sessionIds = new Map<string, string>()

  return model => {
    const entries = models.get(model) ?? new Map<string, Entry>()
    models.set(model, entries)

    const find = async (id: string): Promise<AdapterPayload | undefined> => {
      const entry = entries.get(id)
      if (!entry) return undefined
      if (entry.expiresAtMs > Date.now()) return entry.payload
      entries.delete(id)
      return undefined
    }

    return {
      find,
      upsert: async (id, payload, expiresInSeconds) => {
        const expiresAtMs = expiresInSeconds === undefined ? Infinity : Date.now() + expiresInSeconds * 1000
        entries.set(id, { payload, expiresAtMs })
        if (model === 'Session' && payload.uid) sessionIds.set(payload.uid, id)
      },
      findByUid: async uid => find(sessionIds.get(uid) ?? ''),
      findByUserCode: async () => undefined,
      consume: async id => {
        const entry = entries.get(id)
        if (entry) entry.payload = { ...entry.payload, consumed: Math.floor(Date.now() / 1000) }
      },
      destroy: async id => {
        const uid = entries.get(id)?.payload.uid
        if (uid && sessionIds.get(uid) === id) sessionIds.delete(uid)
        entries.delete(id)
      },
      revokeByGrantId: async grantId => {
        for (const [id, entry] of entries) if (entry.payload.grantId === grantId) entries.delete(id)
      },
    }
  }
}
