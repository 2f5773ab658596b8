import { readFileSync } from 'node:fs'
import { Ajv, type ValidateFunction } from 'ajv'
import addFormats from 'ajv-formats'
import { isRecord } from '../../../demo/looker/body.ts'

const FILE = new URL('../../../../shared/looker/Looker.4.0.oas.json', import.meta.url)
const METHODS = ['get', 'post', 'put', 'patch', 'delete']

interface DescribedOperation {
  readonly id: string
  readonly method: string
  /** As the description writes it: `/users/{user_id}`. */
  readonly path: string
}

export interface ApiDescription {
  readonly operations: readonly DescribedOperation[]
  /** What an answer breaks of the description, nothing when it holds. */
  breaches(method: string, path: string, status: number, contentType: string | null, text: string): string[]
  operationOf(method: string, path: string): DescribedOperation | undefined
}

/** Looker's own description of its API, or `undefined` where the file is not at hand. */
export function readApiDescription(): ApiDescription | undefined {
  let text: string
  try {
    text = readFileSync(FILE, 'utf8')
  } catch {
    return undefined
  }
  return createApiDescription(JSON.parse(text))
}

function createApiDescription(document: unknown): ApiDescription {
  const ajv = new Ajv({ strict: false, allErrors: true })
  addFormats.default(ajv)
  for (const format of ['int64', 'float', 'double', 'any']) ajv.addFormat(format, true)
  const schema = toJsonSchema(document)
  if (!isRecord(schema)) throw new Error('The API description is not a JSON object')
  ajv.addSchema(schema, 'looker')

  const declared = Object.entries(member(document, 'paths')).flatMap(([path, methods]) =>
    METHODS.flatMap(method => {
      const operation: unknown = isRecord(methods) ? methods[method] : undefined
      if (!isRecord(operation)) return []
      const pattern = new RegExp(`^${path.replaceAll(/\{[^}]+\}/g, '[^/]+')}$`)
      const responses = member(operation, 'responses')
      return [{ id: String(operation['operationId']), method: method.toUpperCase(), path, pattern, responses }]
    }),
  )
  function find(method: string, path: string) {
    const matching = declared.filter(entry => entry.method === method && entry.pattern.test(path))
    // `/users/search` is itself before it is a user called search.
    return matching.find(entry => !entry.path.includes('{')) ?? matching[0]
  }
  const validators = new Map<string, ValidateFunction>()
  function validatorOf(path: string, method: string, status: number, type: string): ValidateFunction {
    const steps = ['paths', path, method.toLowerCase(), 'responses', String(status), 'content', type, 'schema']
    const pointer = steps.map(step => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')
    const validator = validators.get(pointer) ?? ajv.compile({ $ref: `looker#/${pointer}` })
    validators.set(pointer, validator)
    return validator
  }

  return {
    operations: declared,
    operationOf: find,
    breaches(method, path, status, contentType, text) {
      const operation = find(method, path)
      if (operation === undefined) return [`${method} ${path} is not described`]
      // Looker answers 401 and never declares it.
      const declaredStatus = status === 401 ? 404 : status
      const response = operation.responses[String(declaredStatus)]
      if (response === undefined) return [`${operation.id} does not declare ${status}`]
      if (status === 204) return text === '' ? [] : [`${operation.id} answers 204 with a body`]
      const isJson = contentType?.startsWith('application/json') === true
      // The description's own name for every textual type is `text`.
      const content = member(response, 'content')
      const type = isJson ? 'application/json' : Object.hasOwn(content, 'text') ? 'text' : ''
      if (!Object.hasOwn(content, type)) return [`${operation.id} does not declare ${contentType} for ${status}`]
      const schema = member(content[type], 'schema')
      // Rows are described as a string, whatever their type: the body as it is.
      const value: unknown = schema['type'] === 'string' || !isJson ? text : JSON.parse(text)
      const validate = validatorOf(operation.path, method, declaredStatus, type)
      if (validate(value)) return []
      return (validate.errors ?? []).map(
        error => `${operation.id} ${status}${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`,
      )
    },
  }
}

function member(value: unknown, name: string): Record<string, unknown> {
  const found: unknown = isRecord(value) ? value[name] : undefined
  return isRecord(found) ? found : {}
}

/**
 * OpenAPI 3.0 is not quite JSON Schema: `nullable` becomes a type, and since the description means its lists of members to
 * be complete, an object that names members may have no others.
 */
function toJsonSchema(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toJsonSchema)
  if (!isRecord(value)) return value
  const { nullable, ...rest } = Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]) =>
      // The description writes "any type" as a type of that name.
      name === 'type' && inner === 'any' ? [] : [[name, toJsonSchema(inner)]],
    ),
  )
  const closed =
    isRecord(rest['properties']) && rest['additionalProperties'] === undefined
      ? { ...rest, additionalProperties: false }
      : rest
  if (nullable !== true || typeof closed['type'] !== 'string') return closed
  const { enum: values } = closed
  return {
    ...closed,
    type: [closed['type'], 'null'],
    ...(Array.isArray(values) ? { enum: [...values, null] } : {}),
  }
}
