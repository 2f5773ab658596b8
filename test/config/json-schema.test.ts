import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, test } from 'vitest'
import { valuesSchema } from '../../helm/write-values-schema.ts'
import { jsonSchema } from '../../src/config/json-schema.ts'
import { issuer, written } from './file.ts'

const committed = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

test('the committed schema is what the code makes', () => {
  expect(committed('docs/configuration.schema.json')).toBe(`${JSON.stringify(jsonSchema(), null, 2)}\n`)
})

test('the committed schema of the chart has the one that the code makes', () => {
  expect(committed('helm/sallyport/values.schema.json')).toBe(
    `${JSON.stringify(valuesSchema(jsonSchema()), null, 2)}\n`,
  )
})

test('an editor with the schema takes what Sallyport takes and marks unknown keys', () => {
  const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(jsonSchema())
  expect(validate(written())).toBe(true)
  expect(validate(written({ issuers: [issuer({ audience: 'x' })] }))).toBe(false)
  expect(validate(written({ looker: { url: 'https://x', clientId: 'a', clientSecret: 'in-the-file' } }))).toBe(false)
})
