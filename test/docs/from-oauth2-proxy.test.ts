import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { FLAGS } from '../../src/migrate/oauth2-proxy/flags.ts'

const page = readFileSync(new URL('../../docs/from-oauth2-proxy.md', import.meta.url), 'utf8')
const tables = page.slice(page.indexOf('## Flags'), page.indexOf('## Headers'))

test('the page has each flag that the command knows once, and no other', () => {
  const named = [...tables.matchAll(/`--([a-z0-9-]+)`/g)].map(([, flag]) => flag)
  const known = Object.keys(FLAGS)
  expect(new Set(named)).toEqual(new Set(known))
  expect(named).toHaveLength(known.length)
})

test('the tests that it names are there', () => {
  const files = [...page.matchAll(/`(test\/[^`]+)`/g)].map(([, file = '']) => file)
  expect(files.length).toBeGreaterThan(5)
  for (const file of files) expect([file, existsSync(new URL(`../../${file}`, import.meta.url))]).toEqual([file, true])
})
