import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { vi } from 'vitest'
import { freePort, type RedisServer, startRedisServer } from '../support/redis-server.ts'

const HOST = '127.0.0.1'
const PATIENCE = { timeout: 20_000, interval: 50 }

export interface Address {
  readonly host: string
  readonly port: number
}

/** Asks one server directly, past whatever stands before it. */
export async function ask(port: number, ...command: [string, ...(string | number)[]]): Promise<unknown> {
  const client = new Redis({ host: HOST, port, retryStrategy: () => null })
  client.on('error', () => {})
  try {
    const [name, ...args] = command
    return await client.call(name, ...args)
  } finally {
    client.disconnect()
  }
}

export interface SentinelGroup {
  readonly sentinels: readonly Address[]
  readonly name: string
  readonly master: RedisServer
  readonly replica: RedisServer
  /** Resolves when the replica was made the master. */
  promoted(): Promise<void>
  stop(): Promise<void>
}

/** A master, its replica and one Sentinel that decides alone. */
export async function startSentinelGroup(): Promise<SentinelGroup> {
  const name = 'people'
  // Redis waits five seconds for more replicas before it sends anything to the first.
  const master = await startRedisServer({ args: ['--repl-diskless-sync-delay', '0'] })
  const replica = await startRedisServer({ args: ['--replicaof', `${HOST} ${master.port}`] })
  await vi.waitFor(async () => {
    if (!String(await ask(replica.port, 'INFO', 'replication')).includes('master_link_status:up'))
      throw new Error('not linked')
  }, PATIENCE)
  const sentinel = await startSentinel(`sentinel monitor ${name} ${HOST} ${master.port} 1
sentinel down-after-milliseconds ${name} 500
sentinel failover-timeout ${name} 3000
`)
  await vi.waitFor(async () => {
    const replicas = (await ask(sentinel.port, 'SENTINEL', 'replicas', name)) as unknown[]
    if (replicas.length !== 1) throw new Error('the Sentinel does not know the replica yet')
  }, PATIENCE)
  return {
    sentinels: [{ host: HOST, port: sentinel.port }],
    name,
    master,
    replica,
    promoted: () =>
      vi.waitFor(async () => {
        const [role] = (await ask(replica.port, 'ROLE')) as string[]
        if (role !== 'master') throw new Error('the replica is not the master yet')
      }, PATIENCE),
    async stop() {
      await sentinel.stop()
      await Promise.all([master.stop(), replica.stop()])
    },
  }
}

async function startSentinel(configuration: string): Promise<{ port: number; stop(): Promise<void> }> {
  const [port, directory] = [await freePort(), await mkdtemp(join(tmpdir(), 'sallyport-sentinel-'))]
  const file = join(directory, 'sentinel.conf')
  await writeFile(file, `port ${port}\nbind ${HOST}\ndir ${directory}\n${configuration}`)
  const child: ChildProcess = spawn('redis-server', [file, '--sentinel'], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  await vi.waitFor(() => ask(port, 'PING'), PATIENCE)
  return {
    port,
    async stop() {
      child.kill('SIGKILL')
      await ended
      await rm(directory, { recursive: true, force: true })
    },
  }
}

export interface ClusterNodes {
  readonly nodes: readonly RedisServer[]
  readonly addresses: readonly Address[]
  /** Resolves when every node has every slot served. */
  whole(): Promise<void>
  stop(): Promise<void>
}

/** Three masters that share the slots between them. */
export async function startCluster(): Promise<ClusterNodes> {
  const members = await Promise.all(
    ['0 5460', '5461 10922', '10923 16383'].map(async slots => {
      const bus = await freePort()
      const args = `--cluster-enabled yes --cluster-config-file nodes.conf --cluster-port ${bus}
        --cluster-node-timeout 1000 --cluster-require-full-coverage no`.split(/\s+/)
      return { slots, bus, node: await startRedisServer({ args }) }
    }),
  )
  const nodes = members.map(({ node }) => node)
  for (const { slots, node } of members) await ask(node.port, 'CLUSTER', 'ADDSLOTSRANGE', ...slots.split(' '))
  for (const { node, bus } of members) {
    for (const { port } of nodes) if (port !== node.port) await ask(port, 'CLUSTER', 'MEET', HOST, node.port, bus)
  }
  const whole = (): Promise<void> =>
    vi.waitFor(async () => {
      for (const { port } of nodes) {
        const info = String(await ask(port, 'CLUSTER', 'INFO'))
        if (!/cluster_state:ok[\s\S]*cluster_slots_ok:16384[\s\S]*cluster_known_nodes:3/.test(info))
          throw new Error(info)
      }
    }, PATIENCE)
  await whole()
  return {
    nodes,
    addresses: nodes.map(({ port }) => ({ host: HOST, port })),
    whole,
    async stop() {
      await Promise.all(nodes.map(node => node.stop()))
    },
  }
}
