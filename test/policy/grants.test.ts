import { expect, test } from 'vitest'
import { compileGrants, type GrantOptions } from '../../src/policy/grants.ts'
import { failureOf, grant, person } from './person.ts'

const ID = '{issuer}|{subject}'
const fingerprint = (keys: Partial<GrantOptions>, claims = {}, id = ID): string =>
  compileGrants([grant('a', keys)], id).scopeOf(person(claims)).fingerprint

test('the first grant that matches is the person’s, and what matches behind it adds nothing', () => {
  const book = compileGrants(
    [
      grant('admins', { groups: ['admins'] }),
      grant('finance', { claims: { department: ['finance'] }, permissions: ['see_looks'] }),
      grant('everybody', { permissions: ['access_data'] }),
    ],
    ID,
  )
  expect(book.scopeOf(person({ department: 'finance' }))).toMatchObject({
    grant: 'finance',
    permissions: ['see_looks'],
  })
  expect(book.scopeOf(person({ department: 'art' })).grant).toBe('everybody')
  expect(book.scopeOf(person({ department: 'finance', groups: ['admins'] })).grant).toBe('admins')
})

test('nobody gets a token without a grant', () => {
  expect(failureOf(() => compileGrants([], ID).scopeOf(person()))).toEqual({ kind: 'no-grant' })
  expect(failureOf(() => compileGrants([grant('a', { groups: ['x'] })], ID).scopeOf(person()))).toEqual({
    kind: 'no-grant',
  })
})

test('fills in templates from the token', () => {
  const attributes = {
    who: '{email}',
    from: '{issuer}/{claim:org.unit}',
    seats: '{claim:seats}',
    all: '{claim:regions}',
  }
  const scope = compileGrants([grant('a', { userAttributes: attributes })], '{issuer}|{subject}').scopeOf(
    person({
      email: 'Ana@corp.com',
      org: { unit: 'sales' },
      seats: 3,
      regions: ['EMEA', 'AMER'],
      name: 'Ana de Souza',
    }),
  )
  expect(scope).toMatchObject({
    externalUserId: 'corp|ana',
    userAttributes: { who: 'Ana@corp.com', from: 'corp/sales', seats: '3', all: 'EMEA,AMER' },
    firstName: 'Ana',
    lastName: 'de Souza',
  })
})

test('does not read a placeholder in what a token says', () => {
  const book = compileGrants([grant('a', { userAttributes: { region: '{claim:region}' } })], ID)
  expect(book.scopeOf(person({ region: '{email}' })).userAttributes).toEqual({ region: '{email}' })
  expect(book.scopeOf(person({ region: '$&$1' })).userAttributes).toEqual({ region: '$&$1' })
})

test.each([undefined, null, '', [], [''], ['EMEA', ''], { name: 'EMEA' }, [{}]])(
  'a claim that is %j is a refusal that names it, never an empty attribute',
  region => {
    const book = compileGrants([grant('regional', { userAttributes: { area: '{claim:region}' } })], ID)
    expect(failureOf(() => book.scopeOf(person({ region })))).toEqual({
      kind: 'claim-missing',
      grant: 'regional',
      claim: 'region',
      usedBy: 'userAttributes.area',
    })
  },
)

test('an address that is not verified fills no template', () => {
  const book = compileGrants([grant('a')], '{email}')
  expect(failureOf(() => book.scopeOf(person({ email: 'ana@corp.com', email_verified: false })))).toEqual({
    kind: 'claim-missing',
    grant: 'a',
    claim: 'email',
    usedBy: 'looker.externalUserId',
  })
})

test('a refused template does not hand the person on to the next grant', () => {
  const book = compileGrants([grant('a', { userAttributes: { r: '{claim:region}' } }), grant('b')], ID)
  expect(failureOf(() => book.scopeOf(person())).kind).toBe('claim-missing')
})

test('the fingerprint is the same where Looker is told the same', () => {
  const written = {
    permissions: ['b', 'a'],
    models: ['n', 'm'],
    groupIds: ['2', '1'],
    userAttributes: { y: '2', x: '1' },
  }
  const sorted = {
    permissions: ['a', 'b'],
    models: ['m', 'n'],
    groupIds: ['1', '2'],
    userAttributes: { x: '1', y: '2' },
  }
  expect(fingerprint(written)).toBe(fingerprint(sorted))
  expect(fingerprint(written, { name: 'Ana Alvarez', exp: Date.UTC(2031, 0, 1) / 1000 })).toBe(fingerprint(sorted))
})

test.each([
  ['permissions', { permissions: ['access_data', 'explore'] }],
  ['models', { models: ['thelook'] }],
  ['groups', { groupIds: ['8'] }],
  ['attributes', { userAttributes: { x: '1' } }],
  ['the name', { name: 'b' }],
])('the fingerprint is another with other %s', (_what, keys) => {
  expect(fingerprint(keys)).not.toBe(fingerprint({}))
})

test('the fingerprint is another for another person and another attribute of the same', () => {
  expect(fingerprint({}, { sub: 'bob' })).not.toBe(fingerprint({}, { sub: 'ana' }))
  const regional = { userAttributes: { region: '{claim:region}' } }
  expect(fingerprint(regional, { region: 'EMEA' })).not.toBe(fingerprint(regional, { region: 'AMER' }))
})

test('explain says why each grant before the person’s did not match', () => {
  const book = compileGrants(
    [
      grant('admins', { groups: ['admins'] }),
      grant('corp', { emails: ['*@corp.com'] }),
      grant('law', { claims: { department: ['law'] } }),
      grant('rest'),
      grant('never'),
    ],
    ID,
  )
  expect(book.explain(person({ groups: ['staff'], email: 'a@other.com', department: 'art' }))).toEqual([
    { grant: 'admins', mismatch: 'needs one of the groups "admins"; the person is in "staff"' },
    { grant: 'corp', mismatch: 'needs an e-mail address that matches "*@corp.com"; the person has a@other.com' },
    { grant: 'law', mismatch: 'needs the claim department to be one of "law"; it is "art"' },
    { grant: 'rest', mismatch: undefined },
  ])
})
