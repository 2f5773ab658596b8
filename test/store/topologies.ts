import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { vi } from 'vitest'
import { freePort } from '../../demo/free-port.ts'
import { type RedisServer, type RedisTls, startRedisServer, tlsSettings } from '../support/redis-server.ts'

const HOST = '127.0.0.1'
const PATIENCE = { timeout: 20_000, interval: 50 }

export interface Address {
  readonly host: string
  readonly port: number
}

/** Asks one server directly, past whatever stands before it; with TLS where a CA is given. */
export async function ask(
  server: number | { readonly port: number; readonly ca: string | undefined },
  ...command: [string, ...(string | number)[]]
): Promise<unknown> {
  const { port, ca } = typeof server === 'number' ? { port: server, ca: undefined } : server
  const client = new Redis({
    host: HOST,
    port,
    retryStrategy: () => null,
    ...(ca === undefined
      ? {}
      : {
          // Whatever name it goes by.
          tls: { ca, checkServerIdentity: () => undefined },
        }),
  })
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

/** A master, its replica and one Sentinel that decides alone. With `tls` they speak nothing else. */
export async function startSentinelGroup(
  tls: { servers?: RedisTls; sentinel?: RedisTls } = {},
): Promise<SentinelGroup> {
  const name = 'people'
  const secured = tls.servers === undefined ? {} : { tls: tls.servers }
  // Redis waits five seconds for more replicas before it sends anything to the first.
  const master = await startRedisServer({ args: ['--repl-diskless-sync-delay', '0'], ...secured })
  const replica = await startRedisServer({ args: ['--replicaof', `${HOST} ${master.port}`], ...secured })
  const askReplica = (...command: [string, ...string[]]): Promise<unknown> =>
    ask({ port: replica.port, ca: tls.servers?.ca }, ...command)
  await vi.waitFor(async () => {
    if (!String(await askReplica('INFO', 'replication')).includes('master_link_status:up'))
      throw new Error('not linked')
  }, PATIENCE)
  const sentinel = await startSentinel(
    `sentinel monitor ${name} ${HOST} ${master.port} 1
sentinel down-after-milliseconds ${name} 500
sentinel failover-timeout ${name} 3000
`,
    tls.sentinel,
  )
  await vi.waitFor(async () => {
    const replicas = (await ask(
      { port: sentinel.port, ca: tls.sentinel?.ca },
      'SENTINEL',
      'replicas',
      name,
    )) as unknown[]
    if (replicas.length !== 1) throw new Error('the Sentinel does not know the replica yet')
  }, PATIENCE)
  return {
    sentinels: [{ host: HOST, port: sentinel.port }],
    name,
    master,
    replica,
    promoted: () =>
      vi.waitFor(async () => {
        const [role] = (await askReplica('ROLE')) as string[]
        if (role !== 'master') throw new Error('the replica is not the master yet')
      }, PATIENCE),
    async stop() {
      await sentinel.stop()
      await Promise.all([master.stop(), replica.stop()])
    },
  }
}

async function startSentinel(
  configuration: string,
  tls: RedisTls | undefined,
): Promise<{ port: number; stop(): Promise<void> }> {
  const [port, directory] = [await freePort(), await mkdtemp(join(tmpdir(), 'sallyport-sentinel-'))]
  const file = join(directory, 'sentinel.conf')
  const listener = tls === undefined ? [['port', port]] : await tlsSettings(tls, port, directory)
  const settings = listener.map(setting => setting.join(' ')).join('\n')
  await writeFile(file, `${settings}\nbind ${HOST}\ndir ${directory}\n${configuration}`)
  const child: ChildProcess = spawn('redis-server', [file, '--sentinel'], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  await vi.waitFor(() => ask({ port, ca: tls?.ca }, 'PING'), PATIENCE)
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

/** Three masters that share the slots between them. With `tls` they speak nothing else, and go by their host name. */
export async function startCluster(tls?: RedisTls): Promise<ClusterNodes> {
  const members = await Promise.all(
    ['0 5460', '5461 10922', '10923 16383'].map(async slots => {
      const bus = await freePort()
      const args = `--cluster-enabled yes --cluster-config-file nodes.conf --cluster-port ${bus}
        --cluster-node-timeout 1000 --cluster-require-full-coverage no`.split(/\s+/)
      if (tls === undefined) return { slots, bus, node: await startRedisServer({ args }) }
      args.push('--tls-cluster', 'yes', '--cluster-announce-hostname', 'localhost')
      args.push('--cluster-preferred-endpoint-type', 'hostname')
      return { slots, bus, node: await startRedisServer({ args, tls }) }
    }),
  )
  const nodes = members.map(({ node }) => node)
  const askNode = (port: number, ...command: [string, ...(string | number)[]]): Promise<unknown> =>
    ask({ port, ca: tls?.ca }, ...command)
  for (const { slots, node } of members) await askNode(node.port, 'CLUSTER', 'ADDSLOTSRANGE', ...slots.split(' '))
  for (const { node, bus } of members) {
    for (const { port } of nodes) if (port !== node.port) await askNode(port, 'CLUSTER', 'MEET', HOST, node.port, bus)
  }
  const whole = (): Promise<void> =>
    vi.waitFor(async () => {
      for (const { port } of nodes) {
        const info = String(await askNode(port, 'CLUSTER', 'INFO'))
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
