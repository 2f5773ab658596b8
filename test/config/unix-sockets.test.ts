import { expect, test } from 'vitest'
import { load, problemsOf } from './file.ts'

test('an app may be on a unix socket', () => {
  expect(load({ app: { url: 'unix:///run/app.sock' } }).config.app?.url).toBe('unix:///run/app.sock')
})

test.for([
  'unix:///',
  'unix:/run/app.sock',
  'unix://run/app.sock/',
  'unix:///run/app.sock?x',
  'unix:///run/app.sock#x',
  'unix:///run/my app.sock',
  'unix:///run/%61pp.sock',
  `unix:///${'a'.repeat(103)}`,
])('%s is no unix socket', url => {
  expect(problemsOf({ app: { url } })).toEqual([expect.stringMatching(/^app\.url: .*unix:\/\/\/run\/app\.sock$/)])
})

test.for(['http://user@app:3000', 'ftp://app', 'app:3000', 'http+unix://app.sock'])('%s is no URL of an app', url => {
  expect(problemsOf({ app: { url } })).toEqual([expect.stringMatching(/^app\.url: /)])
})

test('a CA means nothing to a unix socket', () => {
  const problems = problemsOf({ app: { url: 'unix:///run/app.sock', caFile: 'test/config/file.ts' } })
  expect(problems[0]).toMatch(/^app\.caFile: /)
})

test.for(['issuers', 'looker'])('%s cannot be on one', section => {
  const sections =
    section === 'looker'
      ? { looker: { url: 'unix:///run/looker.sock', clientId: 'x', clientSecret: { fromEnv: 'LOOKER_SECRET' } } }
      : { issuers: [{ name: 'a', issuer: 'unix:///run/id.sock', audiences: ['a'] }] }
  expect(
    problemsOf(sections).some(line => /^(looker\.url|issuers\[0\]\.issuer): is not an absolute http/.test(line)),
  ).toBe(true)
})
