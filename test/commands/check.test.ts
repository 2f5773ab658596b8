import { expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { issuer, looker, temporaryFile, written } from '../config/file.ts'
import { linesOf, runCommand } from './process.ts'

const file = (sections: Record<string, unknown> = {}): string =>
  temporaryFile('sallyport.yaml', stringify(written(sections)))
const ENVIRONMENT = { LOOKER_SECRET: 'hunter2-looker', KEY: Buffer.alloc(32, 9).toString('base64'), RS: 'hunter2-rs' }

test('prints the effective configuration as YAML, with [secret] for each secret and every default', async () => {
  const config = file({
    issuers: [issuer({ introspection: { clientId: 'rs', clientSecret: { fromEnv: 'RS' } } })],
    looker: looker({ clientId: { fromEnv: 'LOOKER_SECRET' } }),
    store: {
      redis: { url: { fromEnv: 'REDIS' } },
      sealKeys: [{ id: 'k1', key: { fromFile: temporaryFile('key', ENVIRONMENT.KEY) } }],
    },
  })
  const { code, stdout, stderr } = await runCommand(['check', '--config', config], {
    ...ENVIRONMENT,
    REDIS: 'redis://:hunter2@redis:6379',
  })
  expect({ code, stderr }).toEqual({ code: 0, stderr: 'warning: grants: none; nobody gets a Looker token\n' })
  expect(parse(stdout)).toMatchObject({
    server: { listen: '0.0.0.0:8080', prefix: '/sallyport' },
    issuers: [{ introspection: { clientId: 'rs', clientSecret: '[secret]' } }],
    looker: { clientId: '[secret]', clientSecret: '[secret]', timeoutSeconds: 30 },
    store: { redis: { url: '[secret]' }, sealKeys: [{ id: 'k1', key: '[secret]' }] },
  })
  expect(stdout).not.toMatch(/hunter2|fromEnv|fromFile/)
  expect(stdout).not.toContain(ENVIRONMENT.KEY)
})

test('refuses with exit 2 and every problem on standard error, one a line', async () => {
  const config = file({
    server: { publicUrl: 'app', listn: 'x' },
    looker: looker({ url: 'http://looker.example.com' }),
  })
  const { code, stdout, stderr } = await runCommand(['check', '--config', config], {})
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(linesOf(stderr).map(line => line.split(': ')[0])).toEqual([
    'server.publicUrl',
    'server.listn',
    'looker.url',
    'looker.clientSecret',
  ])
})

test('SALLYPORT_CONFIG stands in for --config, and --config counts where both are there', async () => {
  const config = file()
  const named = await runCommand(['check'], { ...ENVIRONMENT, SALLYPORT_CONFIG: config })
  expect(named.code).toBe(0)
  const both = await runCommand(['check', '--config', '/nowhere.yaml'], { ...ENVIRONMENT, SALLYPORT_CONFIG: config })
  expect(both).toMatchObject({ code: 2, stderr: expect.stringMatching(/^\/nowhere\.yaml: cannot be read \(ENOENT\)/) })
})

test('says that no configuration is named', async () => {
  const { code, stderr } = await runCommand(['check'])
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: 'configuration: none named; say --config FILE, or set SALLYPORT_CONFIG\n',
  })
})

test('says what serve will refuse', async () => {
  const config = file({ grants: [{ name: 'a', permissions: ['p'], operations: ['@viewer'] }] })
  const { code, stderr } = await runCommand(['check', '--config', config], ENVIRONMENT)
  expect(code).toBe(0)
  expect(linesOf(stderr)).toContain(
    'warning: serve will refuse this: grants[0].operations: the gateway to the Looker API is not built in this version; remove it to start',
  )
})
