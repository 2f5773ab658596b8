import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { AUDIT_KEY } from '../../src/audit/chain.ts'
import { verifyAuditFile } from '../../src/audit/verify.ts'
import { Secret } from '../../src/core/secret.ts'
import { deriveKey } from '../../src/store/seal.ts'
import { ask } from '../store/topologies.ts'
import { startRedisServer } from '../support/redis-server.ts'
import { json, SEAL_KEYS, startWorld, type Sidecar, type World } from '../support/world.ts'
import { temporaryFile, temporaryFolder } from './file.ts'

// Each has its own: a key that was retired stays so.
let world: World
beforeEach(async () => {
  world = await startWorld()
})
afterEach(() => world.close())

/** A new API key of the service account, made the way an administrator does, over Looker's API. */
async function newApiKey(): Promise<{ clientId: string; clientSecret: string; retireOld(): Promise<void> }> {
  const { looker } = world
  const form = new URLSearchParams({ client_id: looker.clientId, client_secret: looker.clientSecret })
  const login = await json(fetch(`${looker.url}/api/4.0/login`, { method: 'POST', body: form }))
  const headers = { authorization: `Bearer ${String(login['access_token'])}` }
  const keys = `${looker.url}/api/4.0/users/${looker.serviceUserId}/credentials_api3`
  const [old] = (await (await fetch(keys, { headers })).json()) as { id: string }[]
  const made = await json(fetch(keys, { method: 'POST', headers }))
  return {
    clientId: String(made['client_id']),
    clientSecret: String(made['client_secret']),
    async retireOld() {
      const { status } = await fetch(`${keys}/${old?.id}`, { method: 'DELETE', headers })
      expect(status).toBeLessThan(300)
    },
  }
}

/** People who were never seen before, one after the other, so that each needs the service credentials. */
function startCrowd(sidecar: Sidecar): { stop(): Promise<Response[]>; served(): number } {
  const answers: Response[] = []
  const over = new AbortController()
  const crowd = Array.from({ length: 3 }, async (_, lane) => {
    for (let person = 0; !over.signal.aborted; person++) {
      const token = await world.issuer.sign({ sub: `person-${lane}-${person}`, groups: ['viewers'] })
      answers.push(await sidecar.exchange(token))
    }
  })
  return {
    served: () => answers.length,
    async stop() {
      over.abort()
      await Promise.all(crowd)
      return answers
    },
  }
}

test('a rotated Looker API key counts without a restart, and nobody under way notices', async () => {
  const { looker } = world
  const idFile = temporaryFile('client-id', looker.clientId)
  const secretFile = temporaryFile('client-secret', looker.clientSecret)
  const sidecar = await world.sidecar({
    looker: { url: looker.url, clientId: { fromFile: idFile }, clientSecret: { fromFile: secretFile } },
  })
  const crowd = startCrowd(sidecar)
  await vi.waitFor(() => expect(crowd.served()).toBeGreaterThan(5), 10_000)

  const key = await newApiKey()
  writeFileSync(idFile, key.clientId)
  writeFileSync(secretFile, `${key.clientSecret}\n`)
  await vi.waitFor(() => {
    for (const file of [idFile, secretFile]) expect(sidecar.logText()).toContain(`"file":"${file}"`)
  }, 10_000)
  await key.retireOld()
  const loginsBefore = looker.calls.count('login')
  looker.revokeTokens(looker.serviceUserId)

  await vi.waitFor(() => expect(looker.calls.count('login')).toBe(loginsBefore + 1), 10_000)
  const served = crowd.served()
  await vi.waitFor(() => expect(crowd.served()).toBeGreaterThan(served + 5), 10_000)
  const answers = await crowd.stop()
  expect(answers.filter(({ status }) => status !== 200)).toEqual([])
  expect(looker.calls.count('login')).toBe(loginsBefore + 1)
  expect(looker.calls.list.findLast(({ operationId }) => operationId === 'login')?.status).toBe(200)
  expect(sidecar.logText()).not.toContain(key.clientSecret)
}, 60_000)

test('a rotated Redis password counts without a restart, and nobody under way notices', async () => {
  const { port, stop } = await startRedisServer()
  onTestFinished(stop)
  const acl = (...rules: string[]): Promise<unknown> => ask(port, 'ACL', 'SETUSER', 'app', ...rules)
  const url = (password: string): string => `redis://app:${password}@127.0.0.1:${port}`
  await acl('on', '~*', '&*', '+@all', '>the-old-one')
  const file = temporaryFile('redis-url', url('the-old-one'))
  const sidecar = await world.sidecar({
    store: { redis: { url: { fromFile: file } }, sealKeys: [{ id: 'k1', key: { fromEnv: 'SEAL_KEY_1' } }] },
  })
  const crowd = startCrowd(sidecar)
  await vi.waitFor(() => expect(crowd.served()).toBeGreaterThan(5), 10_000)

  await acl('>the-new-one')
  writeFileSync(file, url('the-new-one'))
  await vi.waitFor(() => expect(sidecar.logText()).toContain('Redis is used with its changed credentials'), 10_000)
  await acl('<the-old-one')
  const served = crowd.served()
  await vi.waitFor(() => expect(crowd.served()).toBeGreaterThan(served + 5), 10_000)
  expect((await crowd.stop()).filter(({ status }) => status !== 200)).toEqual([])

  // And it is the new one that later connections are made with.
  await ask(port, 'CLIENT', 'KILL', 'USER', 'app')
  const token = await world.issuer.sign({ sub: 'after', groups: ['viewers'] })
  await vi.waitFor(async () => expect((await sidecar.exchange(token)).status).toBe(200), 10_000)
  expect(sidecar.logText()).not.toMatch(/the-(old|new)-one/)
}, 60_000)

test('a first seal key that is exchanged counts for the audit chain from the next batch on', async () => {
  const { SEAL_KEY_1: before, SEAL_KEY_2: after } = SEAL_KEYS
  const keyFile = temporaryFile('seal-key', before)
  const file = join(temporaryFolder(), 'audit.jsonl')
  const sidecar = await world.sidecar({
    store: { sealKeys: [{ id: 'k1', key: { fromFile: keyFile } }] },
    audit: { file },
  })
  const two = async (): Promise<void> => {
    for (const path of ['/one', '/two']) await (await sidecar.fetch(path)).text()
  }
  await two()
  await vi.waitFor(() => expect(sidecar.audit).toHaveLength(2), 10_000)
  writeFileSync(keyFile, after)
  await vi.waitFor(() => expect(sidecar.logText()).toContain(`"file":"${keyFile}"`), 10_000)
  await two()
  await sidecar.close()

  const brokenBy = async (...keys: string[]): Promise<number[]> => {
    const derived = keys.map(key => deriveKey(new Secret(key), AUDIT_KEY))
    return (await verifyAuditFile(file, derived)).broken.map(({ line }) => line)
  }
  // Each line by the key of its time: the old one is needed for as long as its lines are to be verified.
  expect(await brokenBy(after, before)).toEqual([])
  expect(await brokenBy(after)).toEqual([1, 2])
  expect(await brokenBy(before)).toEqual([3, 4])
})
