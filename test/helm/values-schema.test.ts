import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { valuesSchema, valuesSchemaFile } from '../../helm/write-values-schema.ts'

test('values.schema.json is what helm/write-values-schema.ts writes', () => {
  const committed = readFileSync(new URL('../../helm/sallyport/values.schema.json', import.meta.url), 'utf8')
  expect(committed).toBe(valuesSchemaFile())
})

test('moves the definitions of the configuration so that every reference still finds its own', () => {
  const schema = valuesSchema({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'urn:configuration',
    type: 'object',
    properties: { a: { $ref: '#/$defs/secret' }, b: { $ref: '#/properties/a' }, c: { $ref: '#' } },
    $defs: { secret: { anyOf: [{ $ref: '#/$defs/secret' }] } },
  })
  expect(schema).toMatchObject({
    properties: {
      config: {
        properties: {
          a: { $ref: '#/$defs/config.secret' },
          b: { $ref: '#/properties/config/properties/a' },
          c: { $ref: '#/properties/config' },
        },
      },
    },
    $defs: { 'config.secret': { anyOf: [{ $ref: '#/$defs/config.secret' }] } },
  })
  expect(schema).not.toHaveProperty(['properties', 'config', '$id'])
})

test('leaves out a pattern that Helm’s regular expressions do not know, and keeps a key that is called pattern', () => {
  const schema = valuesSchema({
    properties: { pattern: { type: 'string' }, a: { pattern: '^(?!x)' }, b: { pattern: '^(?:x|y)$' } },
  })
  expect(schema).toMatchObject({
    properties: { config: { properties: { pattern: { type: 'string' }, b: { pattern: '^(?:x|y)$' } } } },
  })
  expect(JSON.stringify(schema)).not.toContain('(?!')
})
