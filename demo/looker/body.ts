import { badRequest, type InvalidField, invalid } from './failure.ts'

/**
 * Reads a JSON object member by member. A member of the wrong type is remembered, and `check` answers all of them in one
 * 422, as Looker does. `undefined` is a member left out; `null` counts as left out, since the API calls most nullable.
 */
export interface Body {
  text(name: string): string | undefined
  requiredText(name: string): string
  number(name: string): number | undefined
  flag(name: string): boolean | undefined
  texts(name: string): string[] | undefined
  record(name: string): Record<string, unknown> | undefined
  has(name: string): boolean
  refuse(field: string, message: string): void
  check(): void
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(entry => typeof entry === 'string')
}

export function readBody(value: unknown): Body {
  if (!isRecord(value) || value instanceof URLSearchParams) throw badRequest('A JSON object is expected')
  const members = value
  const refused: InvalidField[] = []

  function refuse(field: string, message: string): void {
    refused.push({ field, code: 'invalid_value', message })
  }
  function take<T>(name: string, expected: string, is: (member: unknown) => member is T): T | undefined {
    const member = Object.hasOwn(members, name) ? members[name] : undefined
    if (member === undefined || member === null) return undefined
    if (is(member)) return member
    refuse(name, `${name} must be ${expected}`)
    return undefined
  }
  const text = (name: string) => take(name, 'a string', (member): member is string => typeof member === 'string')

  return {
    text,
    requiredText(name) {
      const found = text(name)
      if (found !== undefined && found !== '') return found
      if (!refused.some(({ field }) => field === name)) {
        refused.push({ field: name, code: 'missing_field', message: `${name} is required` })
      }
      return ''
    },
    number: name => take(name, 'a number', (member): member is number => typeof member === 'number'),
    flag: name => take(name, 'true or false', (member): member is boolean => typeof member === 'boolean'),
    texts: name => take(name, 'an array of strings', isTexts),
    record: name => take(name, 'an object', isRecord),
    has: name => Object.hasOwn(value, name),
    refuse,
    check() {
      if (refused.length > 0) throw invalid(...refused)
    },
  }
}
