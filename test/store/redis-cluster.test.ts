import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { behavesAsAStore } from './contract.ts'
import { connected, openRedisStore, redisEnds } from './redis-ends.ts'
import { ask, type ClusterNodes, startCluster } from './topologies.ts'

let cluster: ClusterNodes
beforeAll(async () => {
  cluster = await startCluster()
})
afterAll(() => cluster.stop())

// One address is enough: the client finds the others.
const target = () => ({ kind: 'cluster', nodes: cluster.addresses.slice(0, 1) }) as const

behavesAsAStore('the store in a Redis Cluster', () => redisEnds(target()))

test('uses every node of the cluster', async () => {
  const store = await connected(openRedisStore(target()))
  const before = await Promise.all(cluster.nodes.map(({ port }) => ask(port, 'DBSIZE')))
  for (let count = 0; count < 60; count++) {
    const lease = await store.lease(`key ${count}`, 60_000)
    expect(await store.put(`key ${count}`, Buffer.from('v'), 60_000, lease?.generation ?? 0)).toBe(true)
    await lease?.release()
  }
  const after = await Promise.all(cluster.nodes.map(({ port }) => ask(port, 'DBSIZE')))
  after.forEach((size, index) => expect(size).toBeGreaterThan(Number(before[index])))
  await store.close()
})

test('goes on with the nodes that are left, refuses soon what the lost one held, and has it again after', async () => {
  const store = await connected(openRedisStore(target()))
  const keys = Array.from({ length: 30 }, (_, index) => `key ${index}`)
  const read = async (): Promise<string[]> => {
    const outcomes = await Promise.allSettled(keys.map(key => store.get(key)))
    return outcomes.map(outcome => (outcome.status === 'fulfilled' ? 'read' : (outcome.reason as Error).message))
  }
  expect(new Set(await read())).toEqual(new Set(['read']))
  const [, lost] = cluster.nodes
  await lost?.halt()
  const started = performance.now()
  const without = await read()
  expect(performance.now() - started).toBeLessThan(5000)
  expect(new Set(without)).toEqual(new Set(['read', 'store-unavailable']))
  await lost?.resume()
  await cluster.whole()
  await vi.waitFor(async () => expect(new Set(await read())).toEqual(new Set(['read'])), { timeout: 10_000 })
  await store.close()
})
