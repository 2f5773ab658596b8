import { expect, test } from 'vitest'
import { load, problemsOf } from './file.ts'

test('fills in what the file leaves out', () => {
  const { config } = load({ app: { url: 'http://127.0.0.1:3000' }, grants: [{ name: 'a', permissions: ['p'] }] })
  expect(config).toMatchObject({
    server: {
      listen: '0.0.0.0:8080',
      admin: '0.0.0.0:9090',
      prefix: '/sallyport',
      trustedProxies: [],
      drainSeconds: 20,
    },
    issuers: [
      {
        algorithms: ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'],
        claims: { subject: 'sub', email: 'email', name: 'name', groups: 'groups' },
        allowIdTokens: false,
        allowInsecureHttp: false,
      },
    ],
    app: { timeoutSeconds: 60 },
    looker: { externalUserId: '{issuer}|{subject}', timeoutSeconds: 30, maxConcurrent: 8, allowInsecureHttp: false },
    grants: [{ models: [], groupIds: [], userAttributes: {} }],
    cors: { origins: [] },
    store: {},
    audit: { onFailure: 'deny' },
    log: { level: 'info' },
  })
})

test('leaves out what is off when it is not named', () => {
  const { config } = load()
  expect(config.grants).toEqual([])
  for (const key of ['app', 'rules'] as const) expect(config[key]).toBeUndefined()
  expect(config.store.redis).toBeUndefined()
  expect(config.audit.file).toBeUndefined()
})

test('warns of what an absent store and absent grants mean', () => {
  expect(load().warnings.map(line => line.split(':')[0])).toEqual(['store.redis', 'store.sealKeys', 'grants'])
})

test('gives a section that is named and empty its defaults', () => {
  expect(load({ session: {} }).config.session).toEqual({ idleMinutes: 60, absoluteHours: 12 })
})

test.each(['rules', 'store', 'grants'])('does not take a key without a value for the key left out: %s', key => {
  expect(problemsOf({ [key]: null })).toEqual([expect.stringMatching(new RegExp(`^${key}: has to be a `))])
})
