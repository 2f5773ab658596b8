import { Readable } from 'node:stream'
import type { Value } from './data-set.ts'
import { badRequest } from './failure.ts'
import { type Explore, type Field, labelIn } from './models.ts'
import type { QueryResult } from './query-engine.ts'

const ROWS_A_CHUNK = 25

/** A body that is not one JSON document made by the server, sent as it comes. */
export class StreamedAnswer {
  readonly status: number
  readonly contentType: string
  readonly body: Readable

  constructor(status: number, contentType: string, body: Readable) {
    this.status = status
    this.contentType = contentType
    this.body = body
  }
}

export interface FormatContext {
  readonly explore: Explore
  readonly locale: string | undefined
}

type Writer = (result: QueryResult, context: FormatContext) => Iterable<string>

const WRITERS: Readonly<Record<string, { contentType: string; write: Writer }>> = {
  json: { contentType: 'application/json', write: writeJson },
  json_detail: { contentType: 'application/json', write: writeDetail },
  csv: { contentType: 'text/csv; charset=utf-8', write: (result, context) => writeTable(result, context, ',') },
  txt: { contentType: 'text/plain; charset=utf-8', write: (result, context) => writeTable(result, context, '\t') },
}

function writerOf(format: string) {
  const writer = Object.hasOwn(WRITERS, format) ? WRITERS[format] : undefined
  if (writer === undefined) throw badRequest(`Unsupported result format: ${format}`)
  return writer
}

/** @throws LookerFailure 400 for a format the emulated Looker does not write */
export function assertFormat(format: string): void {
  writerOf(format)
}

export function formatResult(format: string, result: QueryResult, context: FormatContext): StreamedAnswer {
  const { contentType, write } = writerOf(format)
  return new StreamedAnswer(200, contentType, Readable.from(inChunks(write(result, context)), { objectMode: false }))
}

function* inChunks(pieces: Iterable<string>): Generator<string> {
  let chunk = ''
  let held = 0
  for (const piece of pieces) {
    chunk += piece
    held += 1
    if (held === ROWS_A_CHUNK) {
      yield chunk
      chunk = ''
      held = 0
    }
  }
  if (chunk !== '') yield chunk
}

function* listed(documents: Iterable<string>): Generator<string> {
  let separator = '['
  for (const document of documents) {
    yield `${separator}${document}`
    separator = ',\n'
  }
  yield separator === '[' ? '[]' : ']'
}

function* writeJson({ rows }: QueryResult): Generator<string> {
  yield* listed(rows.values().map(row => JSON.stringify(row)))
}

function* writeDetail({ fields, rows }: QueryResult, context: FormatContext): Generator<string> {
  const described = (kind: Field['kind']) =>
    fields.filter(field => field.kind === kind).map(field => describeField(field, context))
  const head = {
    fields: { dimensions: described('dimension'), measures: described('measure'), table_calculations: [], pivots: [] },
    has_totals: false,
    has_row_totals: false,
    truncated: false,
    errors: [],
  }
  yield `${JSON.stringify(head).slice(0, -1)},"data":`
  yield* listed(
    rows
      .values()
      .map(row => JSON.stringify(Object.fromEntries(fields.map(({ name }) => [name, { value: row[name] ?? null }])))),
  )
  yield '}'
}

function describeField(field: Field, context: FormatContext) {
  return {
    name: field.name,
    type: field.type,
    label: columnLabel(field, context),
    label_short: labelIn(context.locale, field.labels),
    is_numeric: field.type !== 'string' && field.type !== 'date',
    measure: field.kind === 'measure',
  }
}

const columnLabel = (field: Field, { explore, locale }: FormatContext): string =>
  `${labelIn(locale, explore.labels)} ${labelIn(locale, field.labels)}`

function* writeTable({ fields, rows }: QueryResult, context: FormatContext, separator: string): Generator<string> {
  const line = (cells: readonly Value[]): string => `${cells.map(cell => quote(cell, separator)).join(separator)}\n`
  yield line(fields.map(field => columnLabel(field, context)))
  for (const row of rows) yield line(fields.map(({ name }) => row[name] ?? null))
}

function quote(cell: Value, separator: string): string {
  const text = String(cell ?? '')
  return text.includes(separator) || /["\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
