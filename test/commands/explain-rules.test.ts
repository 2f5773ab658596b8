import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { Permit } from '../../src/core/permit.ts'
import { compileRules, explainRules, type RuleOptions } from '../../src/policy/rules.ts'
import { issuer, looker, temporaryFile, written } from '../config/file.ts'
import { person } from '../policy/person.ts'
import { type Ended, linesOf, runCommand } from './process.ts'

const RULES: RuleOptions[] = [
  { paths: ['/assets/**', '/favicon.ico'], access: 'public' },
  { paths: ['/admin/**'], methods: ['GET', 'POST'], access: 'authenticated', groups: ['admins'] },
  { paths: ['/admin/**', '/reports/**'], methods: ['GET'], access: 'authenticated' },
]
const CONFIG = written({
  issuers: [issuer(), issuer({ name: 'other', issuer: 'https://other.example.com', claims: { groups: 'roles' } })],
  looker: looker({ clientSecret: { fromFile: '/run/secrets/not-on-this-machine' } }),
  rules: RULES,
})

function explain(request: readonly string[], claims?: unknown, ...more: string[]): Promise<Ended> {
  const config = temporaryFile('sallyport.yaml', stringify(CONFIG))
  const file = claims === undefined ? [] : ['--claims', temporaryFile('claims.json', JSON.stringify(claims))]
  return runCommand(['rules', 'explain', '--config', config, ...request, ...file, ...more])
}

test('says which rule decides, why no earlier one did, and what is decided; without the secrets', async () => {
  const { code, stdout, stderr } = await explain(['GET', '/reports/7?page=2'], { sub: 'ana' })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(linesOf(stdout)).toEqual([
    'rules[0]: no — its paths are "/assets/**", "/favicon.ico"',
    'rules[1]: no — its paths are "/admin/**"',
    'rules[2]: decides',
    'allowed: the person is admitted',
  ])
})

test('a rule that does not admit the person decides all the same, with exit 1', async () => {
  const { code, stdout } = await explain(['GET', '/admin/users'], { sub: 'ana', groups: ['staff'] })
  expect(code).toBe(1)
  expect(linesOf(stdout).slice(1)).toEqual([
    'rules[1]: decides',
    'refused: it needs one of the groups "admins"; the person is in "staff"',
  ])
})

test('without claims nobody is signed in', async () => {
  const guarded = await explain(['get', '/reports/7'])
  expect(guarded.code).toBe(1)
  expect(linesOf(guarded.stdout).at(-1)).toBe('needs an identity: nobody is signed in')
  const open = await explain(['HEAD', '/favicon.ico'])
  expect(open.code).toBe(0)
  expect(linesOf(open.stdout)).toEqual(['rules[0]: decides', 'allowed: everybody is'])
})

test('says that no rule matches, and whether for its path or its method', async () => {
  const { code, stdout } = await explain(['DELETE', '/reports/7'], { sub: 'ana' })
  expect(code).toBe(1)
  expect(linesOf(stdout).slice(1)).toEqual([
    'rules[1]: no — its paths are "/admin/**"; its methods are GET, POST',
    'rules[2]: no — its methods are GET',
    'refused: no rule matches',
  ])
})

test.for(['/assets/..%2fadmin', '/assets//x', '/assets/./x', '/%61dmin'])(
  'a path that can be read in two ways is refused as the proxy refuses it: %s',
  async path => {
    const { code, stdout } = await explain(['GET', path])
    expect(code).toBe(1)
    expect(stdout).toMatch(/^refused: the path can be read in more than one way/)
  },
)

test('reads the claims as the issuer that is named gives them', async () => {
  const { code } = await explain(['GET', '/admin'], { sub: 'ana', roles: ['admins'] }, '--issuer', 'other')
  expect(code).toBe(0)
})

test.for([
  [['GET', '/sallyport/session'], /under \/sallyport, which is Sallyport's own/],
  [['GET'], /say one method and one path/],
  [['GET', '/a', '/b'], /say one method and one path/],
] as const)('says with exit 1 that the question is none: %j', async ([request, message]) => {
  const { code, stdout, stderr } = await explain(request)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(message)
})

describe('explains what the proxy decides', () => {
  const people = [undefined, person(), person({ groups: ['admins'] })]
  const paths = ['/', '/favicon.ico', '/assets', '/admin', '/admin/%C3%A9', '/reports/7', '/reportsx']
  const questions = [RULES, undefined].flatMap(rules =>
    ['GET', 'POST', 'HEAD'].flatMap(method => paths.map(path => ({ rules, method, path }))),
  )
  test.for(questions)('$method $path', ({ rules, method, path }) => {
    const proxied = compileRules(rules)(method, path)
    for (const identity of people) {
      const { decides, refusal } = explainRules(rules, method, path, identity)
      expect(decides?.name).toBe(proxied?.name)
      if (identity === undefined || proxied === undefined) continue
      let admitted = true
      try {
        Permit.decide(identity, proxied)
      } catch {
        admitted = false
      }
      expect(refusal === undefined).toBe(admitted)
    }
  })
})
