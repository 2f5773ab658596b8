import { generate } from 'selfsigned'
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { type Certificate, makeCertificate } from '../../demo/looker/certificate.ts'
import type { RedisStoreOptions } from '../../src/store/redis-store.ts'
import type { Store } from '../../src/store/store.ts'
import { temporaryFile } from '../config/file.ts'
import { type RedisTls, startRedisServer } from '../support/redis-server.ts'
import { connected, openRedisStore, urlTarget } from './redis-ends.ts'
import { type SentinelGroup, startCluster, startSentinelGroup } from './topologies.ts'

const MINUTE = 60_000

let certificates: { servers: Certificate; sentinel: Certificate }
let everybody: string
beforeAll(async () => {
  certificates = {
    servers: await makeCertificate(['servers.test', '127.0.0.1']),
    sentinel: await makeCertificate(['sentinel.test', '127.0.0.1']),
  }
  everybody = `${certificates.servers.cert}\n${certificates.sentinel.cert}`
})

function open(target: RedisStoreOptions['target'], ca: string, tls = true): Store {
  const store = openRedisStore(target, { tls, caFile: temporaryFile('ca.pem', ca) })
  onTestFinished(() => store.close())
  return store
}

async function refuses(store: Store): Promise<void> {
  await expect(store.get('key')).rejects.toMatchObject({ failure: { kind: 'store-unavailable' } })
}

describe('Sentinels and servers that speak TLS and nothing else', () => {
  const start = async (): Promise<{ group: SentinelGroup; target: RedisStoreOptions['target'] }> => {
    const tls = (certificate: Certificate): RedisTls => ({ ...certificate, ca: everybody })
    const group = await startSentinelGroup({ servers: tls(certificates.servers), sentinel: tls(certificates.sentinel) })
    onTestFinished(() => group.stop())
    return { group, target: { kind: 'sentinels', nodes: group.sentinels, name: group.name } }
  }

  test('are used, and followed to the next master', async () => {
    const { group, target } = await start()
    const store = open(target, everybody)
    await connected(store)
    expect(await store.put('before', Buffer.from('it'), MINUTE, 1)).toBe(true)
    expect(await store.get('before')).toEqual(Buffer.from('it'))
    await group.master.halt()
    await group.promoted()
    await vi.waitFor(async () => expect(await store.put('after', Buffer.from('it'), MINUTE, 1)).toBe(true), 15_000)
  })

  test('are used only where the CA file vouches for both', async () => {
    const { target } = await start()
    for (const ca of [certificates.servers.cert, certificates.sentinel.cert]) await refuses(open(target, ca))
    await connected(open(target, everybody))
  })

  test('are not used without TLS', async () => {
    const { target } = await start()
    await refuses(open(target, everybody, false))
  })
})

test('a rediss:// URL is used only where the CA file vouches for the server', async () => {
  const { url, stop } = await startRedisServer({ tls: { ...certificates.servers, ca: everybody } })
  onTestFinished(stop)
  expect(url).toMatch(/^rediss:/)
  await refuses(open(urlTarget(url), certificates.sentinel.cert, false))
  await connected(open(urlTarget(url), certificates.servers.cert, false))
})

test('the nodes of a Cluster are known by the names in their certificates', async () => {
  // On their own connections the nodes are clients too, which a certificate made for a server alone does not allow.
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
  })
  const cluster = await startCluster({ cert, key, ca: cert })
  onTestFinished(() => cluster.stop())
  const nodes = cluster.addresses.slice(0, 1).map(({ port }) => ({ host: 'localhost', port }))
  const store = await connected(open({ kind: 'cluster', nodes }, cert))
  for (let count = 0; count < 20; count++) {
    expect(await store.put(`key ${count}`, Buffer.from('v'), MINUTE, 1)).toBe(true)
  }
})
