import { chmodSync, existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { issuer, load, looker, problemsOf, temporaryFile, temporaryFolder } from './file.ts'

test('refuses a CA file that is not there or holds no certificate, wherever it is named', () => {
  const notPem = temporaryFile('ca.pem', 'not a certificate')
  expect(
    problemsOf({
      issuers: [issuer({ caFile: '/nowhere/issuer.pem' })],
      app: { url: 'https://app', caFile: '/nowhere/app.pem' },
      looker: looker({ caFile: notPem }),
    }),
  ).toEqual([
    'issuers[0].caFile: there is no file /nowhere/issuer.pem',
    'app.caFile: there is no file /nowhere/app.pem',
    expect.stringMatching(/^looker\.caFile: the file .* has no certificate in PEM/),
  ])
  expect(problemsOf({ looker: looker({ caFile: dirname(notPem) }) })).toEqual([
    expect.stringMatching(/^looker\.caFile: the file .* cannot be read \(EISDIR\)/),
  ])
})

test('refuses an audit file that is a folder or below a file', () => {
  const file = temporaryFile('file', '')
  for (const [path, code] of [
    [dirname(file), 'EISDIR'],
    [join(file, 'audit.jsonl'), 'ENOTDIR'],
  ] as const) {
    expect(problemsOf({ audit: { file: path } })).toEqual([
      expect.stringMatching(new RegExp(`^audit\\.file: the file .* cannot be opened for appending \\(${code}\\)`)),
    ])
  }
})

test.skipIf(process.getuid?.() === 0)('refuses an audit file in a folder that may not be written', () => {
  const folder = join(temporaryFolder(), 'closed')
  mkdirSync(folder)
  chmodSync(folder, 0o500)
  expect(problemsOf({ audit: { file: join(folder, 'below', 'audit.jsonl') } })).toEqual([
    expect.stringMatching(/^audit\.file: .* cannot be opened for appending \(EACCES\)/),
  ])
})

test('takes an audit file in a folder that is still to be made, and makes neither', () => {
  const file = join(temporaryFolder(), 'new', 'folder', 'audit.jsonl')
  expect(load({ audit: { file } }).config.audit.file).toBe(file)
  expect(existsSync(dirname(file))).toBe(false)
})
