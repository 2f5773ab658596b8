import { expect, test } from 'vitest'
import { compileWho } from '../../src/policy/who.ts'
import { person } from './person.ts'

const meets = (options: Parameters<typeof compileWho>[0], claims: Record<string, unknown>): boolean =>
  compileWho(options)(person(claims)) === undefined

test('without conditions everybody is meant', () => {
  expect(meets({}, {})).toBe(true)
})

test('the values of one kind are alternatives, the kinds have to hold together', () => {
  const who = { groups: ['a', 'b'], emails: ['*@corp.com'], claims: { department: ['finance', 'law'], level: ['3'] } }
  const fits = { groups: ['x', 'b'], email: 'ana@corp.com', department: 'law', level: 3 }
  expect(meets(who, fits)).toBe(true)
  expect(meets(who, { ...fits, groups: ['x'] })).toBe(false)
  expect(meets(who, { ...fits, email: 'ana@other.com' })).toBe(false)
  expect(meets(who, { ...fits, department: 'art' })).toBe(false)
  expect(meets(who, { ...fits, level: 4 })).toBe(false)
})

test('groups are compared to the letter', () => {
  expect(meets({ groups: ['admins'] }, { groups: ['Admins', 'admins ', 'admin'] })).toBe(false)
  expect(meets({ groups: ['admins'] }, { groups: 'admins' })).toBe(true)
})

test.each(['ana@corp.com', 'Ana@Corp.COM', 'a.b+c@corp.com'])('*@corp.com means %s', email => {
  expect(meets({ emails: ['*@Corp.com'] }, { email })).toBe(true)
})

test.each([
  ['a second address behind the first', 'a@evil.com@corp.com'],
  ['a quoted local part', '"x@corp.com"@evil.com'],
  ['a domain that ends alike', 'a@evilcorp.com'],
  ['a domain below', 'a@sub.corp.com'],
  ['a domain behind', 'a@corp.com.evil.com'],
  ['a dot at the end', 'a@corp.com.'],
  ['a space at the end', 'a@corp.com '],
  ['nobody at it', '@corp.com'],
  ['no address', 'corp.com'],
  ['a full-width sign', 'a＠corp.com'],
  ['a letter that only looks alike', 'a@cоrp.com'],
])('*@corp.com does not mean %s', (_what, email) => {
  expect(meets({ emails: ['*@corp.com'] }, { email })).toBe(false)
})

test('a pattern with a dot before the domain means nobody', () => {
  for (const email of ['a@corp.com', 'a@x.corp.com', 'corp.com', '.corp.com']) {
    expect(meets({ emails: ['*@.corp.com'] }, { email })).toBe(false)
  }
})

test('the Kelvin sign is not a k in an address', () => {
  expect(meets({ emails: ['kim@kiosk.com'] }, { email: '\u212Aim@kiosk.com' })).toBe(false)
  expect(meets({ emails: ['*@kiosk.com'] }, { email: 'kim@\u212Aiosk.com' })).toBe(false)
})

test.each([false, 'false'])('an address with email_verified %j is none', email_verified => {
  expect(meets({ emails: ['*@corp.com'] }, { email: 'ana@corp.com', email_verified })).toBe(false)
})

test.each([
  [['x', 'finance'], true],
  [[], false],
  [null, false],
  [{ finance: true }, false],
  [[['finance']], false],
  ['FINANCE', false],
])('a claim of %j', (department, expected) => {
  expect(meets({ claims: { department: ['finance'] } }, { department })).toBe(expected)
})

test('reads a dotted path, and a claim whose own name has dots before it', () => {
  const who = { claims: { 'org.unit': ['sales'] } }
  expect(meets(who, { org: { unit: 'sales' } })).toBe(true)
  expect(meets(who, { 'org.unit': 'art', org: { unit: 'sales' } })).toBe(false)
  expect(meets({ claims: { 'constructor.name': ['Object'] } }, {})).toBe(false)
})
