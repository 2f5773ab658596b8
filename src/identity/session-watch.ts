/** How often watched sessions are gone through. With what a session is believed for, its end is seen within 5 s. */
const TICK_MILLISECONDS = 1_000

export interface SessionWatch {
  /** Calls `ended` once, when the session is over. Returns what stops that. */
  add(id: string, ended: () => void): () => void
  /** Looks at once, if anybody watches. */
  check(id: string): void
  close(): void
}

/** Those who hold something open for as long as a session lasts. One timer goes through all of them. */
export function createSessionWatch(deps: {
  /** Whether the session is still there; rejects where that cannot be told, which is no end. */
  isThere(id: string): boolean | Promise<boolean>
  report(what: string, error: unknown): void
}): SessionWatch {
  const watchers = new Map<string, Set<() => void>>()
  let timer: NodeJS.Timeout | undefined

  const look = async (id: string): Promise<void> => {
    try {
      if (await deps.isThere(id)) return
    } catch {
      // A store that is away ends nothing.
      return
    }
    const told = watchers.get(id) ?? []
    watchers.delete(id)
    for (const ended of told) {
      try {
        ended()
      } catch (error) {
        deps.report('the end of a watched session', error)
      }
    }
    rest()
  }
  const rest = (): void => {
    if (watchers.size > 0) return
    clearInterval(timer)
    timer = undefined
  }

  return {
    add(id, ended) {
      const those = watchers.get(id) ?? new Set()
      // A function of its own: the same one may watch twice.
      const watcher = (): void => ended()
      watchers.set(id, those.add(watcher))
      timer ??= setInterval(() => {
        for (const id of watchers.keys()) void look(id)
      }, TICK_MILLISECONDS).unref()
      return () => {
        those.delete(watcher)
        if (those.size === 0 && watchers.get(id) === those) watchers.delete(id)
        rest()
      }
    },
    check(id) {
      if (watchers.has(id)) void look(id)
    },
    close() {
      watchers.clear()
      rest()
    },
  }
}
