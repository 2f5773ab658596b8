/** `npm run schema`: writes the JSON Schema of the configuration file, which is committed. */
import { writeFileSync } from 'node:fs'
import { jsonSchema } from './json-schema.ts'

writeFileSync(
  new URL('../../docs/configuration.schema.json', import.meta.url),
  `${JSON.stringify(jsonSchema(), null, 2)}\n`,
)
