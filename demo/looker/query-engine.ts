import type { Row, Value } from './data-set.ts'
import { type InvalidField, invalid } from './failure.ts'
import { createFilter } from './filter-expression.ts'
import type { Explore, Field } from './models.ts'

const DEFAULT_LIMIT = 500

export interface QueryDefinition {
  readonly model: string
  readonly view: string
  readonly fields: readonly string[]
  readonly filters: Readonly<Record<string, string>>
  readonly sorts: readonly string[]
  readonly limit: string | null
}

export interface QueryResult {
  readonly fields: readonly Field[]
  readonly rows: readonly Row[]
}

/** Runs the query for one person. `restrictions` are filters by field that the person cannot lift. */
export function runQuery(
  explore: Explore,
  query: QueryDefinition,
  restrictions: Readonly<Record<string, string>>,
  limit?: number,
): QueryResult {
  const byName = new Map(explore.fields.map(field => [field.name, field]))
  const refused: InvalidField[] = []
  function known(name: string, member: string): Field | undefined {
    const field = byName.get(name)
    if (field === undefined) {
      refused.push({ field: member, code: 'invalid_value', message: `Unknown field "${name}"` })
    }
    return field
  }
  const fields = query.fields.flatMap(name => known(name, 'fields') ?? [])
  const filters = Object.entries(query.filters).flatMap(([name, expression]) => {
    const field = known(name, 'filters')
    return field === undefined ? [] : [{ field, test: createFilter(expression) }]
  })
  if (query.fields.length === 0) {
    refused.push({ field: 'fields', code: 'missing_field', message: 'A query needs at least one field' })
  }
  if (refused.length > 0) throw invalid(...refused)

  const walls = Object.entries(restrictions).map(([field, expression]) => ({ field, test: createFilter(expression) }))
  const onRows = filters.filter(({ field }) => field.kind === 'dimension')
  const onGroups = filters.filter(({ field }) => field.kind === 'measure')
  const source = explore.rows.filter(
    row =>
      walls.every(({ field, test }) => test(row[field] ?? null)) &&
      onRows.every(({ field, test }) => test(row[field.name] ?? null)),
  )
  // A measure may be filtered on without being shown, so it is worked out and left out of the answer.
  const worked = [...new Set([...fields, ...onGroups.map(({ field }) => field)])]
  const grouped = group(source, worked).filter(row =>
    onGroups.every(({ field, test }) => test(row[field.name] ?? null)),
  )
  const sorted = grouped.toSorted(createOrder(query.sorts, fields))
  const wantedLimit = limit ?? Number(query.limit ?? DEFAULT_LIMIT)
  const rows = wantedLimit < 0 || Number.isNaN(wantedLimit) ? sorted : sorted.slice(0, wantedLimit)
  const shown = worked.length === fields.length ? rows : rows.map(row => only(row, fields))
  return { fields, rows: shown }
}

function only(row: Row, fields: readonly Field[]): Row {
  return Object.fromEntries(fields.map(({ name }) => [name, row[name] ?? null]))
}

function group(rows: readonly Row[], fields: readonly Field[]): Row[] {
  const dimensions = fields.filter(field => field.kind === 'dimension')
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    const key = JSON.stringify(dimensions.map(({ name }) => row[name]))
    const members = groups.get(key)
    if (members === undefined) groups.set(key, [row])
    else members.push(row)
  }
  // Measures alone make one row, over no rows too.
  if (groups.size === 0 && dimensions.length === 0) groups.set('[]', [])
  return [...groups.values()].map(members =>
    Object.fromEntries(fields.map(field => [field.name, valueOf(field, members)])),
  )
}

function valueOf(field: Field, rows: readonly Row[]): Value {
  if (field.kind === 'dimension') return rows[0]?.[field.name] ?? null
  if (field.type === 'count') return rows.length
  if (rows.length === 0) return null
  const total = rows.reduce((sum, row) => sum + Number(row[field.over ?? ''] ?? 0), 0)
  return Math.round((field.type === 'sum' ? total : total / rows.length) * 100) / 100
}

function createOrder(sorts: readonly string[], fields: readonly Field[]): (left: Row, right: Row) => number {
  // Unsorted, Looker puts the newest date first, or else the biggest first measure.
  const leading = fields.find(field => field.type === 'date') ?? fields.find(field => field.kind === 'measure')
  const fallback = leading ?? fields[0]
  const wanted = sorts.length > 0 ? sorts : [`${fallback?.name} ${leading === undefined ? 'asc' : 'desc'}`]
  const keys = wanted.map(sort => {
    const [name = '', direction] = sort.trim().split(/\s+/)
    return { name, sign: direction?.toLowerCase() === 'desc' ? -1 : 1 }
  })
  return (left, right) => {
    for (const { name, sign } of keys) {
      const difference = compare(left[name] ?? null, right[name] ?? null)
      if (difference !== 0) return sign * difference
    }
    return 0
  }
}

function compare(left: Value, right: Value): number {
  if (typeof left === 'number' && typeof right === 'number') return left - right
  const [a, b] = [String(left ?? ''), String(right ?? '')]
  if (a === b) return 0
  return a < b ? -1 : 1
}
