import { expect, test } from 'vitest'
import { issuer, load, looker, problemsOf, written } from './file.ts'

test('accepts what is required and nothing else', () => {
  expect(load().config.issuers).toHaveLength(1)
})

test('names the three sections that have to be there', () => {
  const problems = problemsOf('{}')
  expect(problems.map(line => line.split(':')[0])).toEqual(['server', 'issuers', 'looker'])
  for (const line of problems) expect(line).toContain('is required')
})

test.each([
  [{ server: { publicUrl: 'https://app.example.com', listn: '0.0.0.0:80' } }, 'server.listn', 'listen'],
  [{ isuers: [] }, 'isuers', 'issuers'],
  [{ issuers: [issuer({ claims: { subjct: 'sub' } })] }, 'issuers[0].claims.subjct', 'subject'],
  [{ looker: looker({ clientsecret: 'x' }) }, 'looker.clientsecret', 'clientSecret'],
  [{ grants: [{ name: 'a', permissions: ['p'], usrAttributes: {} }] }, 'grants[0].usrAttributes', 'userAttributes'],
  [{ store: { sealkeys: [] } }, 'store.sealkeys', 'sealKeys'],
])('names the known key that is nearest to an unknown one', (sections, path, nearest) => {
  expect(problemsOf(sections)).toContain(`${path}: is not a key that Sallyport knows; did you mean "${nearest}"?`)
})

test('tells mistakes of every kind in one run, each with its path', () => {
  const problems = problemsOf(
    {
      server: { publicUrl: 'https://app.example.com/', trustedProxies: ['10.0.0.0/99'], prefx: '/x' },
      issuers: [issuer({ issuer: 'http://id.example.com' }), issuer({ audiences: [] })],
      rules: [{ paths: ['admin'] }, { paths: ['/x'], access: 'public', groups: ['g'] }],
      looker: looker({ externalUserId: '{sub}', caFile: '/nowhere/ca.pem', clientSecret: { fromEnv: 'NOT_SET' } }),
      grants: [
        { name: 'a', permissions: ['p'] },
        { name: 'a', permissions: ['p'], groupIds: [8] },
      ],
      store: {
        redis: { url: 'redis://redis:6379' },
        sealKeys: [
          { id: 'k', key: { fromEnv: 'SHORT' } },
          { id: 'k', key: { fromFile: '/nowhere/key' } },
        ],
      },
      log: { level: '${LEVEL}' },
    },
    { SHORT: 'c2hvcnQ=' },
  )
  expect(problems.map(line => line.slice(0, line.indexOf(': '))).toSorted()).toEqual([
    'grants[1].groupIds[0]',
    'grants[1].name',
    'issuers[0].issuer',
    'issuers[1].audiences',
    'issuers[1].name',
    'log.level',
    'looker.caFile',
    'looker.clientSecret',
    'looker.externalUserId',
    'rules[0].paths[0]',
    'rules[1].groups',
    'server.prefx',
    'server.publicUrl',
    'server.trustedProxies[0]',
    'store.sealKeys[0].key',
    'store.sealKeys[1].id',
    'store.sealKeys[1].key',
  ])
  for (const line of problems) expect(line).not.toContain('\n')
})

test.each([
  [{ server: { publicUrl: 'https://App.Example.com' } }, 'server.publicUrl', 'https://app.example.com'],
  [{ server: { publicUrl: 'https://app.example.com', listen: '8080' } }, 'server.listen', '0.0.0.0:8080'],
  [{ server: { publicUrl: 'https://app.example.com', prefix: '/' } }, 'server.prefix', '/sallyport'],
  [
    { server: { publicUrl: 'https://app.example.com', trustedProxies: ['lb'] } },
    'server.trustedProxies[0]',
    '10.0.0.0/8',
  ],
  [
    { server: { publicUrl: 'https://a.example', admin: '0.0.0.0:8080', listen: '0.0.0.0:8080' } },
    'server.admin',
    'port',
  ],
  [{ issuers: [] }, 'issuers', 'at least one'],
  [{ issuers: [issuer({ algorithms: ['HS256'] })] }, 'issuers[0].algorithms[0]', 'RS256'],
  [{ looker: looker({ url: 'company.cloud.looker.com' }) }, 'looker.url', 'https://host.example.com'],
  [{ looker: looker({ url: 'https://company.looker.com/api/4.0' }) }, 'looker.url', 'leave out /api/4.0'],
  [{ looker: looker({ timeoutSeconds: '30' }) }, 'looker.timeoutSeconds', 'without quotes'],
  [{ looker: looker({ timeoutSeconds: 0 }) }, 'looker.timeoutSeconds', 'more than 0'],
  [{ looker: looker({ maxConcurrent: 1.5 }) }, 'looker.maxConcurrent', 'whole number'],
  [{ rules: [{ paths: ['/a'], methods: ['get'] }] }, 'rules[0].methods[0]', 'capitals'],
  [{ rules: [{ paths: ['/a'], access: 'publc' }] }, 'rules[0].access', 'public, authenticated'],
  [{ rules: [{ paths: ['/a'], emails: ['*@.corp.com'] }] }, 'rules[0].emails[0]', '*@example.com'],
  [{ grants: [{ name: 'a', permissions: ['p'], groupIds: [8] }] }, 'grants[0].groupIds[0]', 'quotes'],
  [{ grants: [{ name: 'a b', permissions: ['p'] }] }, 'grants[0].name', 'letters'],
  [{ cors: { origins: ['*'] } }, 'cors.origins[0]', 'https://app.example.com'],
])('says what to write instead (%j)', (sections, path, remedy) => {
  const [line, ...more] = problemsOf(sections)
  expect(more).toEqual([])
  expect(line?.slice(0, path.length + 2)).toBe(`${path}: `)
  expect(line).toContain(remedy)
})

test.each([
  '/**/b',
  '/a**',
  'admin',
  '/a//b',
  '/a/../b',
  '/a?b',
  '/a;b',
  '/a\\b',
  '/%2e',
  '/a%2fb',
  '/%61dmin',
  '/100%',
])('refuses a path pattern that no request could match: %s', pattern => {
  const [line] = problemsOf({ rules: [{ paths: [pattern] }] })
  expect(line).toMatch(/^rules\[0\]\.paths\[0\]: (is not a path pattern|would never match)/)
})

test('names each entry of a list that repeats a name', () => {
  const twice = { name: 'a', permissions: ['p'] }
  expect(problemsOf({ issuers: [issuer(), issuer()], grants: [twice, { ...twice, name: 'b' }, twice] })).toEqual([
    'issuers[1].name: is the same as issuers[0].name; each needs its own',
    'issuers[1].issuer: is the same as issuers[0].issuer; each needs its own',
    'grants[2].name: is the same as grants[0].name; each needs its own',
  ])
})

test.each([
  ['{issuer}', 'everybody would be the same Looker user'],
  ['everybody', 'everybody would be the same Looker user'],
  ['{sub}', 'unknown placeholder {sub}'],
  ['{subject', 'a brace without its partner'],
  ['', 'is empty'],
])('refuses the external id %j', (externalUserId, problem) => {
  const problems = problemsOf({ looker: looker({ externalUserId }) })
  expect(problems).toHaveLength(1)
  expect(problems[0]).toMatch(/^looker\.externalUserId: /)
  expect(problems[0]).toContain(problem)
})

test('refuses an external id without {issuer} where there are several issuers', () => {
  const issuers = [issuer(), issuer({ name: 'other', issuer: 'https://other.example.com' })]
  expect(problemsOf({ issuers, looker: looker({ externalUserId: '{subject}' }) })).toEqual([
    expect.stringMatching(/^looker\.externalUserId: with several issuers .*\{issuer\}/),
  ])
  expect(load({ issuers, looker: looker({ externalUserId: '{email}' }) }).config.issuers).toHaveLength(2)
})

test('refuses an empty user attribute, which Looker would read as any value', () => {
  const grants = [{ name: 'a', permissions: ['p'], userAttributes: { region: '' } }]
  expect(problemsOf({ grants })).toEqual([expect.stringMatching(/^grants\[0\]\.userAttributes\.region: is empty/)])
})

test('warns of rules and grants that never get their turn', () => {
  const { warnings } = load({
    rules: [{ paths: ['/**'] }, { paths: ['/admin/**'], groups: ['admins'] }],
    grants: [
      { name: 'all', permissions: ['p'] },
      { name: 'few', permissions: ['p'], groups: ['g'] },
    ],
  })
  expect(warnings).toContainEqual(expect.stringMatching(/^rules\[0\]: .*behind it never do/))
  expect(warnings).toContainEqual(expect.stringMatching(/^grants\[0\]: is everybody’s/))
})

test('takes the configuration as its own author would write it, whatever the order of sections', () => {
  const { server, ...rest } = written()
  expect(load({ ...rest, server }).config.server.publicUrl).toBe('https://app.example.com')
})

test('an issuer whose people do not sign in brings no tokens to Looker', () => {
  const lookerOAuth = { application: 'BigQuery' }
  expect(problemsOf({ issuers: [issuer({ lookerOAuth })] })).toEqual([
    'issuers[0].lookerOAuth: needs login beside it, for only who signs in brings tokens that Looker can use',
  ])
  const login = { clientId: 'web' }
  expect(load({ issuers: [issuer({ lookerOAuth, login })] }).config.issuers[0]?.lookerOAuth).toEqual(lookerOAuth)
})
