import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Store } from '../../src/store/store.ts'

/** Two ends of one store, as two replicas hold them; in one process's memory they are the same. */
export interface Ends {
  readonly store: Store
  readonly other: Store
  close(): Promise<void>
}

const MINUTE = 60_000
/** No lease: what the vault writes under for records that are not guarded by one. */
const UNGUARDED = Number.MAX_SAFE_INTEGER

/** What every store does, whatever it is made of. */
export function behavesAsAStore(name: string, open: () => Promise<Ends>): void {
  describe(name, () => {
    let store: Store
    let other: Store
    let close: () => Promise<void> = async () => {}
    beforeAll(async () => {
      ;({ store, other, close } = await open())
    })
    afterAll(() => close())

    const aKey = (): string => randomUUID()
    const held = async (from: Store, key: string, ttl = MINUTE) => {
      const lease = await from.lease(key, ttl)
      if (lease === undefined) throw new Error('somebody else holds the lease')
      return lease
    }

    test('gives back the bytes that were put, on every replica, and nothing for another key', async () => {
      const [key, value] = [aKey(), Buffer.concat([Buffer.from([0, 255, 13, 10]), randomBytes(200)])]
      expect(await store.put(key, value, MINUTE, UNGUARDED)).toBe(true)
      expect(await other.get(key)).toEqual(value)
      expect(await other.get(aKey())).toBeUndefined()
    })

    test('forgets a value when its time is over', async () => {
      const key = aKey()
      await store.put(key, Buffer.from('soon gone'), 80, UNGUARDED)
      await vi.waitFor(async () => expect(await other.get(key)).toBeUndefined(), { timeout: 5000, interval: 20 })
    })

    test('lets one replica at a time hold a lease', async () => {
      const key = aKey()
      const [first, second] = await Promise.all([store.lease(key, MINUTE), other.lease(key, MINUTE)])
      const winners = [first, second].filter(lease => lease !== undefined)
      expect(winners).toHaveLength(1)
      await winners[0]?.release()
      expect(await other.lease(key, MINUTE)).toBeDefined()
    })

    test('lets a lease lapse when its holder is gone', async () => {
      const key = aKey()
      await held(store, key, 80)
      await vi.waitFor(async () => expect(await other.lease(key, MINUTE)).toBeDefined(), { timeout: 5000 })
    })

    test('does not let the holder of a lapsed lease give back the next one’s', async () => {
      const key = aKey()
      const lapsed = await held(store, key, 1)
      const next = await vi.waitFor(() => held(other, key), { timeout: 5000 })
      await lapsed.release()
      expect(await store.lease(key, MINUTE)).toBeUndefined()
      await next.release()
      expect(await store.lease(key, MINUTE)).toBeDefined()
    })

    test('lets the holder write under a generation that grows with every lease', async () => {
      const key = aKey()
      const first = await held(store, key)
      expect(await store.put(key, Buffer.from('one'), MINUTE, first.generation)).toBe(true)
      expect(await store.put(key, Buffer.from('two'), MINUTE, first.generation)).toBe(true)
      await first.release()
      const second = await held(other, key)
      expect(second.generation).toBeGreaterThan(first.generation)
      expect(await other.put(key, Buffer.from('three'), MINUTE, second.generation)).toBe(true)
      expect(await store.get(key)).toEqual(Buffer.from('three'))
    })

    test('makes the older write lose, while the younger lease is held and after', async () => {
      const key = aKey()
      const older = await held(store, key, 1)
      const younger = await vi.waitFor(() => held(other, key), { timeout: 5000 })
      expect(await store.put(key, Buffer.from('older'), MINUTE, older.generation)).toBe(false)
      await other.put(key, Buffer.from('younger'), MINUTE, younger.generation)
      await younger.release()
      expect(await store.put(key, Buffer.from('older'), MINUTE, older.generation)).toBe(false)
      expect(await store.get(key)).toEqual(Buffer.from('younger'))
    })

    test('gives what it removes, and nothing where there is nothing', async () => {
      const [key, value] = [aKey(), randomBytes(50)]
      await store.put(key, value, MINUTE, UNGUARDED)
      expect(await other.remove(key)).toEqual(value)
      expect(await store.remove(key)).toBeUndefined()
      await store.put(key, value, 1, UNGUARDED)
      await vi.waitFor(async () => expect(await store.get(key)).toBeUndefined())
      expect(await store.remove(key)).toBeUndefined()
    })

    test('voids a lease under way when the key is removed', async () => {
      const key = aKey()
      await store.put(key, Buffer.from('there'), MINUTE, UNGUARDED)
      const lease = await held(store, key)
      await other.remove(key)
      expect(await store.get(key)).toBeUndefined()
      expect(await store.put(key, Buffer.from('too late'), MINUTE, lease.generation)).toBe(false)
      await lease.release()
      expect(await store.put(key, Buffer.from('still too late'), MINUTE, lease.generation)).toBe(false)
      expect(await other.get(key)).toBeUndefined()
      const next = await held(other, key)
      expect(await other.put(key, Buffer.from('anew'), MINUTE, next.generation)).toBe(true)
    })

    test('voids a lapsed lease too when the key is removed after the next one was given back', async () => {
      const key = aKey()
      const lapsed = await held(store, key, 1)
      const next = await vi.waitFor(() => held(other, key), { timeout: 5000 })
      await next.release()
      await other.remove(key)
      expect(await store.put(key, Buffer.from('from long ago'), MINUTE, lapsed.generation)).toBe(false)
      expect(await store.get(key)).toBeUndefined()
    })

    test('gives a value that is taken to one of all who ask, and keeps it from then on from everybody', async () => {
      const [key, value] = [aKey(), randomBytes(50)]
      await store.put(key, value, MINUTE, UNGUARDED)
      const takers = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? store : other).take(key))
      expect((await Promise.all(takers)).filter(taken => taken !== undefined)).toEqual([value])
      expect(await other.get(key)).toBeUndefined()
      expect(await store.take(aKey())).toBeUndefined()
    })

    test('takes nothing whose time is over', async () => {
      const key = aKey()
      await store.put(key, Buffer.from('soon gone'), 30, UNGUARDED)
      await setTimeout(80)
      expect(await other.take(key)).toBeUndefined()
    })

    test('lets a value that is touched live on, and says where there is none', async () => {
      const [touched, left] = [aKey(), aKey()]
      for (const key of [touched, left]) await store.put(key, Buffer.from(key), 300, UNGUARDED)
      expect(await other.touch(touched, MINUTE + 0.5)).toBe(true)
      await vi.waitFor(async () => expect(await other.get(left)).toBeUndefined(), { timeout: 5000, interval: 20 })
      expect(await store.get(touched)).toEqual(Buffer.from(touched))
      expect(await store.touch(left, MINUTE)).toBe(false)
      expect(await store.get(left)).toBeUndefined()
    })

    test('shortens the life of a value that is touched for less', async () => {
      const key = aKey()
      await store.put(key, Buffer.from('soon gone'), MINUTE, UNGUARDED)
      expect(await other.touch(key, 20)).toBe(true)
      await vi.waitFor(async () => expect(await store.get(key)).toBeUndefined(), { timeout: 5000, interval: 20 })
    })

    test('replaces a value that is there, for the time it is told, and makes none', async () => {
      const [key, gone] = [aKey(), aKey()]
      await store.put(key, Buffer.from('before'), MINUTE, UNGUARDED)
      expect(await other.replace(key, Buffer.from('after'), 80.5)).toBe(true)
      expect(await store.get(key)).toEqual(Buffer.from('after'))
      await vi.waitFor(async () => expect(await store.get(key)).toBeUndefined(), { timeout: 5000, interval: 20 })
      await store.put(gone, Buffer.from('before'), MINUTE, UNGUARDED)
      await other.take(gone)
      for (const absent of [key, gone]) {
        expect(await store.replace(absent, Buffer.from('back again'), MINUTE)).toBe(false)
        expect(await other.get(absent)).toBeUndefined()
      }
    })

    test('keeps a lease from lapsing that its holder extends, and nobody else’s', async () => {
      const key = aKey()
      const lease = await held(store, key, 200)
      expect(await lease.extend(MINUTE)).toBe(true)
      await setTimeout(300)
      expect(await other.lease(key, MINUTE)).toBeUndefined()
      await lease.release()
      expect(await lease.extend(MINUTE)).toBe(false)
      const lapsed = await held(other, key, 1)
      await setTimeout(20)
      expect(await lapsed.extend(MINUTE)).toBe(false)
      const next = await held(store, key)
      expect(await lapsed.extend(MINUTE)).toBe(false)
      expect(await next.extend(MINUTE)).toBe(true)
    })

    test('wakes those who wait for a lease when it is given back', async () => {
      const waits: number[] = []
      for (let round = 0; round < 5; round++) {
        const key = aKey()
        const lease = await held(store, key)
        const started = performance.now()
        const woken = Promise.all([other.awaitRelease(key, MINUTE), store.awaitRelease(key, MINUTE)])
        await lease.release()
        await woken
        waits.push(performance.now() - started)
      }
      // Looking again without being told begins at 250 ms: the quickest of five was told.
      expect(Math.min(...waits)).toBeLessThan(250)
    })

    test('lets those who wait look again although nothing was said', async () => {
      const started = performance.now()
      await other.awaitRelease(aKey(), 300)
      expect(performance.now() - started).toBeLessThan(5000)
    })

    test('tells every replica what to forget, the one that says it too', async () => {
      const [key, heard] = [aKey(), new Set<string>()]
      store.onAnnounced(announced => announced === key && heard.add('here'))
      other.onAnnounced(announced => announced === key && heard.add('there'))
      await vi.waitFor(
        () => {
          store.announce(key)
          expect([...heard].sort()).toEqual(['here', 'there'])
        },
        { timeout: 5000, interval: 50 },
      )
    })
  })
}
