import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { SecretFiles } from '../../src/config/secret-source.ts'
import { load, looker, problemsOf, temporaryFile, temporaryFolder } from './file.ts'

const KEY = Buffer.alloc(32, 7).toString('base64')
const REDIS = { url: 'redis://redis:6379' }

function lookerSecretOf(file: string): { current: () => string; reloads: { file: string; error?: string }[] } {
  const { config, secrets } = load({ looker: looker({ clientSecret: { fromFile: file } }) })
  const reloads = watched(secrets)
  return { current: () => secrets.source(config.looker.clientSecret).current().reveal(), reloads }
}

function watched(secrets: SecretFiles): { file: string; error?: string }[] {
  const reloads: { file: string; error?: string }[] = []
  secrets.watch(event => reloads.push(event))
  onTestFinished(() => secrets.close())
  return reloads
}

test('reads a secret from the environment and from a file, without the line end of the file', () => {
  const file = temporaryFile('secret', 'from a file\r\n')
  expect(lookerSecretOf(file).current()).toBe('from a file')
  const { config, secrets } = load({}, { LOOKER_SECRET: 'from the environment' })
  expect(secrets.source(config.looker.clientSecret).current().reveal()).toBe('from the environment')
})

test('keeps a secret out of strings, JSON and inspect', () => {
  const { config, secrets } = load({}, { LOOKER_SECRET: 'hunter2' })
  const secret = secrets.source(config.looker.clientSecret).current()
  expect(`${String(secret)} ${JSON.stringify({ secret })} ${inspect({ secret })}`).not.toContain('hunter2')
})

test.each(['hunter2', { fromEnv: 'A', fromFile: '/b' }, { fromVault: 'hunter2' }, { fromFile: 5 }, ['hunter2']])(
  'refuses a secret that is written in the file, and does not repeat it: %j',
  clientSecret => {
    const problems = problemsOf({ looker: looker({ clientSecret }) })
    expect(problems).toEqual([expect.stringMatching(/^looker\.clientSecret: write \{ fromEnv: NAME \} or \{ fromFile/)])
    expect(problems.join('\n')).not.toContain('hunter2')
  },
)

test('does not repeat what stands where the name of a variable belongs', () => {
  const problems = problemsOf({ looker: looker({ clientSecret: { fromEnv: 'not a name, hunter2' } }) })
  expect(problems[0]).toBe('looker.clientSecret.fromEnv: is not the name of an environment variable')
  expect(problems.join('\n')).not.toContain('hunter2')
})

test('names each secret that is not there, with what was looked for', () => {
  const empty = temporaryFile('empty', '\n')
  const issuers = [
    {
      name: 'corp',
      issuer: 'https://id.example.com',
      audiences: ['a'],
      introspection: { clientId: 'x', clientSecret: { fromFile: empty } },
    },
  ]
  expect(
    problemsOf({
      issuers,
      looker: looker({ clientId: { fromEnv: 'NOT_SET' }, clientSecret: { fromFile: '/nowhere' } }),
    }),
  ).toEqual([
    `issuers[0].introspection.clientSecret: the file ${empty} is empty`,
    'looker.clientId: the environment variable NOT_SET is not set',
    'looker.clientSecret: the file /nowhere cannot be read (ENOENT)',
  ])
})

test.each([
  ['too short', Buffer.alloc(31).toString('base64')],
  ['too long', Buffer.alloc(33).toString('base64')],
  ['hexadecimal', Buffer.alloc(32).toString('hex')],
  ['base64url', Buffer.alloc(32, 255).toString('base64url')],
  ['spaced', `${KEY.slice(0, 20)} ${KEY.slice(20)}`],
])('refuses a seal key that is %s, and does not repeat it', (_what, key) => {
  const file = temporaryFile('key', key)
  const sealKeys = [
    { id: 'a', key: { fromEnv: 'KEY' } },
    { id: 'b', key: { fromFile: file } },
  ]
  const problems = problemsOf({ store: { sealKeys } }, { KEY: key })
  expect(problems).toEqual([
    expect.stringMatching(/^store\.sealKeys\[0\]\.key: the environment variable KEY does not hold 32 bytes in base64/),
    `store.sealKeys[1].key: the file ${file} does not hold 32 bytes in base64; make them with \`openssl rand -base64 32\``,
  ])
  expect(problems.join('\n')).not.toContain(key)
})

test('refuses Redis without seal keys', () => {
  expect(problemsOf({ store: { redis: REDIS } })).toEqual([
    expect.stringMatching(/^store\.sealKeys: is required with Redis; .*openssl rand -base64 32/),
  ])
})

test.each([
  [{ url: 'redis://:hunter2@redis' }, 'store.redis.url', 'fromEnv'],
  [{ url: 'redis.example.com:6379' }, 'store.redis.url', 'rediss://'],
  [{ url: { fromEnv: 'NOT_A_URL' } }, 'store.redis.url', 'does not hold a redis://'],
  [{ ...REDIS, tls: true }, 'store.redis.tls', 'rediss://'],
  [{}, 'store.redis', 'exactly one of'],
  [{ ...REDIS, cluster: [{ host: 'a', port: 1 }] }, 'store.redis', 'exactly one of'],
])('refuses a Redis that cannot be meant: %j', (redis, path, remedy) => {
  const sealKeys = [{ id: 'a', key: { fromEnv: 'KEY' } }]
  const problems = problemsOf({ store: { redis, sealKeys } }, { KEY, NOT_A_URL: 'hunter2' })
  expect(problems).toHaveLength(1)
  expect(problems[0]?.startsWith(`${path}: `)).toBe(true)
  expect(problems[0]).toContain(remedy)
  expect(problems[0]).not.toContain('hunter2')
})

test('takes a changed file, and keeps the value before where the new one is missing or empty', async () => {
  const file = temporaryFile('secret', 'first')
  const { current, reloads } = lookerSecretOf(file)
  writeFileSync(file, 'second\n')
  await vi.waitFor(() => expect(current()).toBe('second'), 10_000)
  rmSync(file)
  await vi.waitFor(() => expect(reloads.at(-1)?.error).toContain('ENOENT'), 10_000)
  expect(current()).toBe('second')
  writeFileSync(file, '')
  await vi.waitFor(() => expect(reloads.at(-1)?.error).toContain('is empty'), 10_000)
  expect(current()).toBe('second')
  expect(JSON.stringify(reloads)).not.toContain('second')
}, 40_000)

test('takes a secret that Kubernetes swapped by a symbolic link', async () => {
  const folder = temporaryFolder()
  for (const version of ['first', 'second']) writeFileSync(join(folder, version), version)
  symlinkSync('first', join(folder, '..data'))
  symlinkSync('..data', join(folder, 'secret'))
  const { current } = lookerSecretOf(join(folder, 'secret'))
  expect(current()).toBe('first')
  symlinkSync('second', join(folder, '..new'))
  renameSync(join(folder, '..new'), join(folder, '..data'))
  await vi.waitFor(() => expect(current()).toBe('second'), 10_000)
}, 15_000)

test('keeps the seal key before where the new one is none', async () => {
  const file = temporaryFile('key', KEY)
  const { config, secrets } = load({ store: { sealKeys: [{ id: 'a', key: { fromFile: file } }] } })
  const [sealKey] = config.store.sealKeys ?? []
  if (sealKey === undefined) throw new Error('the seal key is missing')
  const reloads = watched(secrets)
  writeFileSync(file, 'not a key')
  await vi.waitFor(() => expect(reloads.at(-1)?.error).toContain('32 bytes in base64'), 10_000)
  expect(secrets.source(sealKey.key).current().reveal()).toBe(KEY)
}, 15_000)
