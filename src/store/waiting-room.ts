/** Those in this process who wait for a key to be released. */
export interface WaitingRoom {
  wait(key: string, milliseconds: number): Promise<void>
  wake(key: string): void
}

export function createWaitingRoom(): WaitingRoom {
  const waiting = new Map<string, Set<() => void>>()
  return {
    wait: (key, milliseconds) =>
      new Promise(resolve => {
        const those = waiting.get(key) ?? new Set()
        waiting.set(key, those)
        const done = (): void => {
          clearTimeout(timer)
          those.delete(done)
          if (those.size === 0 && waiting.get(key) === those) waiting.delete(key)
          resolve()
        }
        const timer = setTimeout(done, milliseconds)
        those.add(done)
      }),
    wake(key) {
      for (const done of waiting.get(key) ?? []) done()
    },
  }
}
