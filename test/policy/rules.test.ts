import { expect, test } from 'vitest'
import { Permit } from '../../src/core/permit.ts'
import { compileRules, type RuleOptions } from '../../src/policy/rules.ts'
import { failureOf, person } from './person.ts'

const rule = (paths: string[], keys: Partial<RuleOptions> = {}): RuleOptions => ({
  paths,
  access: 'authenticated',
  ...keys,
})

/** Which of the patterns, given as one rule each, decides for a path. */
function decider(patterns: string[], path: string, method = 'GET'): string | undefined {
  return compileRules(patterns.map(pattern => rule([pattern])))(method, path)?.name
}

test.each([
  ['/admin/**', ['/admin', '/admin/', '/admin/a', '/admin/a/b.c'], ['/administrator', '/Admin', '/x/admin', '/']],
  ['/**', ['/', '/a', '/a/b'], []],
  ['/admin', ['/admin'], ['/admin/', '/admin/a', '/ADMIN']],
  ['/a/*', ['/a/b', '/a/'], ['/a', '/a/b/c']],
  ['/a/*/c', ['/a/b/c', '/a//c'], ['/a/b/b/c', '/a/c']],
  ['/a/*.js', ['/a/x.js', '/a/.js'], ['/a/xjs', '/a/b/x.js']],
  ['/a/*/**', ['/a/b', '/a/b/c/d'], ['/a']],
  ['/a.b', ['/a.b'], ['/aXb']],
  ['/a+(b)|c$', ['/a+(b)|c$'], ['/aa(b)|c$', '/c$']],
  ['/é', ['/%C3%A9', '/%c3%a9'], ['/e']],
  ['/%C3%A9/**', ['/%C3%A9/x', '/%c3%A9'], ['/%C3%A8']],
  ['/@me/**', ['/@me', '/%40me/x'], ['/me']],
  ['/%40me', ['/@me', '/%40me'], ['/%2540me']],
])('%s matches what it says and nothing else', (pattern, matching, others) => {
  for (const path of matching) expect([path, decider([pattern], path)]).toEqual([path, 'rules[0]'])
  for (const path of others) expect([path, decider([pattern], path)]).toEqual([path, undefined])
})

test('another spelling of a guarded path does not fall to the rule behind', () => {
  for (const path of ['/übersicht/x', '/@admin', '/a|b', "/it's"]) {
    const sent = encodeURI(path)
    const everyEscape = path.replaceAll(/[^a-z/]/g, character =>
      [...Buffer.from(character)].map(byte => `%${byte.toString(16)}`).join(''),
    )
    for (const spelling of [sent, everyEscape]) {
      expect([spelling, decider([path, '/**'], spelling)]).toEqual([spelling, 'rules[0]'])
    }
  }
})

test('the first rule that matches path and method decides', () => {
  const rules = compileRules([
    rule(['/a/**'], { methods: ['POST', 'PUT'] }),
    rule(['/a/b', '/c']),
    rule(['/a/**'], { methods: ['GET'] }),
  ])
  expect(rules('POST', '/a/b')?.name).toBe('rules[0]')
  expect(rules('GET', '/a/b')?.name).toBe('rules[1]')
  expect(rules('GET', '/a/x')?.name).toBe('rules[2]')
  expect(rules('HEAD', '/a/x')).toBeUndefined()
  expect(rules('DELETE', '/c')?.name).toBe('rules[1]')
})

test('without rules every path needs an identity and no more', () => {
  const found = compileRules(undefined)('GET', '/anything')
  expect(failureOf(() => Permit.decide(undefined, found))).toEqual({ kind: 'no-credentials' })
  expect(Permit.decide(person(), found).rule).toBe('default')
})

test('a path that no rule matches is refused, and a stranger does not learn that', () => {
  const found = compileRules([rule(['/a'])])('GET', '/b')
  expect(failureOf(() => Permit.decide(undefined, found))).toEqual({ kind: 'no-credentials' })
  expect(failureOf(() => Permit.decide(person(), found))).toEqual({ kind: 'forbidden', rule: 'none' })
})

test('a public rule lets everybody in, and knows who came with a name', () => {
  const found = compileRules([rule(['/assets/**'], { access: 'public' })])('GET', '/assets/x.css')
  expect(Permit.decide(undefined, found).identity).toBeUndefined()
  expect(Permit.decide(person(), found).identity?.subject).toBe('ana')
})

test('a person whom the rule does not admit is refused and not handed on to the next', () => {
  const rules = compileRules([rule(['/admin/**'], { groups: ['admins'] }), rule(['/**'])])
  const found = rules('GET', '/admin')
  expect(failureOf(() => Permit.decide(person({ groups: ['staff'] }), found))).toEqual({
    kind: 'forbidden',
    rule: 'rules[0]',
  })
  expect(Permit.decide(person({ groups: ['staff', 'admins'] }), found).rule).toBe('rules[0]')
})
