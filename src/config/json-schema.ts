import { z } from 'zod'
import { schema } from './schema.ts'

/** The JSON Schema (draft 2020-12) of what may be written in the file; the checks across keys are not in it. */
export function jsonSchema(): Record<string, unknown> {
  return { title: 'Sallyport configuration', ...z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12' }) }
}
