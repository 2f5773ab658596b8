import { randomUUID } from 'node:crypto'
import { vi } from 'vitest'
import { Secret, type SecretSource } from '../../src/core/secret.ts'
import { createRedisStore, type RedisStoreOptions } from '../../src/store/redis-store.ts'
import type { Store } from '../../src/store/store.ts'
import type { Ends } from './contract.ts'

type Target = RedisStoreOptions['target']

export interface TurnedSecret extends SecretSource {
  turn(text: string): void
}

/** A secret as a file holds it that is written anew now and then. */
export function turnedSecret(text: string): TurnedSecret {
  let secret = new Secret(text)
  return { current: () => secret, turn: to => void (secret = new Secret(to)) }
}

export const urlTarget = (url: string): Target => ({ kind: 'url', url: turnedSecret(url) })

/** A store on Redis. Connects in the background: `connected` waits until it answers. */
export function openRedisStore(target: Target, options: Partial<RedisStoreOptions> = {}): Store {
  return createRedisStore({
    target,
    username: undefined,
    password: undefined,
    tls: false,
    caFile: undefined,
    keyPrefix: `t${randomUUID().slice(0, 8)}:`,
    // Longer than the default of the configuration: these tests share their machine.
    commandTimeoutMilliseconds: 1000,
    observe: () => {},
    report: () => {},
    ...options,
  })
}

export async function connected(store: Store): Promise<Store> {
  await vi.waitFor(() => store.get('is anybody there'), { timeout: 15_000, interval: 20 })
  return store
}

/** Two clients of the same Redis under one prefix, as two replicas are. */
export async function redisEnds(target: Target, options: Partial<RedisStoreOptions> = {}): Promise<Ends> {
  const shared = { keyPrefix: `t${randomUUID().slice(0, 8)}:`, ...options }
  const [store, other] = [openRedisStore(target, shared), openRedisStore(target, shared)]
  await Promise.all([connected(store), connected(other)])
  return {
    store,
    other,
    async close() {
      await Promise.all([store.close(), other.close()])
    },
  }
}
