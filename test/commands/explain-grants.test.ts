import { expect, test } from 'vitest'
import { stringify } from 'yaml'
import { issuer, looker, temporaryFile, written } from '../config/file.ts'
import { type Ended, linesOf, runCommand } from './process.ts'

const CONFIG = written({
  issuers: [issuer(), issuer({ name: 'other', issuer: 'https://other.example.com', claims: { subject: 'id' } })],
  looker: looker({ clientSecret: { fromFile: '/run/secrets/not-on-this-machine' } }),
  grants: [
    { name: 'admins', groups: ['admins'], permissions: ['administer'] },
    {
      name: 'regional',
      emails: ['*@corp.com'],
      permissions: ['see_looks', 'access_data'],
      models: ['thelook'],
      userAttributes: { region: '{claim:region}' },
    },
  ],
})

function explain(claims: unknown, ...more: string[]): Promise<Ended> {
  const text = typeof claims === 'string' ? claims : JSON.stringify(claims)
  const config = temporaryFile('sallyport.yaml', stringify(CONFIG))
  return runCommand(['grants', 'explain', '--config', config, '--claims', temporaryFile('claims.json', text), ...more])
}

test('says which grant it is, why not an earlier one, and what Looker would be told; without the secrets', async () => {
  const { code, stdout, stderr } = await explain({
    sub: 'ana',
    email: 'ana@corp.com',
    region: 'EMEA',
    groups: ['staff'],
  })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(linesOf(stdout)).toEqual([
    'admins: no — needs one of the groups "admins"; the person is in "staff"',
    'regional: matches',
    'externalUserId: "corp|ana"',
    'permissions: ["access_data","see_looks"]',
    'models: ["thelook"]',
    'groupIds: []',
    'userAttributes: {"region":"EMEA"}',
  ])
})

test('says with exit 1 that no grant matches', async () => {
  const { code, stdout } = await explain({ sub: 'ana', email: 'ana@corp.com', email_verified: false })
  expect(code).toBe(1)
  expect(linesOf(stdout)).toEqual([
    'admins: no — needs one of the groups "admins"; the person is in none',
    'regional: no — needs an e-mail address that matches "*@corp.com"; the token has none that is verified',
    'no grant matches: this person gets no Looker token',
  ])
})

test('says with exit 1 which claim the grant needs', async () => {
  const { code, stdout } = await explain({ sub: 'ana', email: 'ana@corp.com' })
  expect(code).toBe(1)
  expect(linesOf(stdout).at(-1)).toBe(
    'refused: the grant "regional" needs "region" for userAttributes.region, and the claims do not say it',
  )
})

test('reads the claims as the issuer that they name, or that is named, gives them', async () => {
  const claims = { id: 'bob', sub: 'ana', groups: ['admins'] }
  for (const answer of [
    await explain({ ...claims, iss: 'https://other.example.com' }),
    await explain(claims, '--issuer', 'other'),
  ]) {
    expect(answer.code).toBe(0)
    expect(answer.stdout).toContain('externalUserId: "other|bob"')
  }
})

test.each([
  ['{', /claims\.json: is not readable as JSON/],
  ['[]', /claims\.json: has to be a JSON object/],
  [
    { sub: 'x', iss: 'https://else.example.com' },
    /no configured issuer is "https:\/\/else\.example\.com"; there are corp, other/,
  ],
])('says with exit 1 what is wrong with the claims %j', async (claims, message) => {
  const { code, stdout, stderr } = await explain(claims)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(message)
})

test('says with exit 1 that the claims name nobody', async () => {
  const { code, stdout } = await explain({ email: 'ana@corp.com' })
  expect(code).toBe(1)
  expect(stdout).toContain('refused: sub is missing')
})
