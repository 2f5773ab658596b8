import { isTexts } from './body.ts'
import type { LookerUser } from './users.ts'

export interface Call {
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, unknown>>
  /** Parsed JSON, a `URLSearchParams` for a form, `undefined` for none. */
  readonly body: unknown
  readonly userAgent: string
  /** This Looker's origin as the caller addressed it. */
  readonly origin: string
}

export interface Caller {
  readonly user: LookerUser
  readonly token: string
}

interface Described {
  /** Looker's operationId. */
  readonly id: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below the API's base path. */
  readonly path: string
  /** The path holds a secret, so the record of calls keeps the template. */
  readonly secretPath?: boolean
}

/** Answered to anybody. */
interface OpenOperation extends Described {
  readonly access: 'open'
  answer(call: Call): unknown
}

/**
 * Answered to any holder of a token, or to administrators alone: anybody else is told 404, since that is what Looker shows
 * most often for a missing permission and what every operation declares.
 */
interface GuardedOperation extends Described {
  readonly access: 'member' | 'admin'
  /** The JSON document of the answer, `undefined` for 204, or a `StreamedAnswer`. */
  answer(call: Call, caller: Caller): unknown
}

export type Operation = OpenOperation | GuardedOperation

/** One path parameter; the router never matches without it. */
export const param = ({ params }: Call, name: string): string => params[name] ?? ''

/** A query parameter given exactly once. */
export function queryText({ query }: Call, name: string): string | undefined {
  const value = query[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

export function queryNumber(call: Call, name: string): number | undefined {
  const text = queryText(call, name)
  return text === undefined || !/^-?\d+$/.test(text) ? undefined : Number(text)
}

/** A list parameter: repeated, or in one with commas. */
export function queryTexts({ query }: Call, name: string): string[] | undefined {
  const value = query[name]
  const parts = typeof value === 'string' ? [value] : value
  return isTexts(parts) && value !== '' ? parts.flatMap(part => part.split(',')) : undefined
}

/** The slice of a list that `limit`/`offset`, or the older `page`/`per_page`, ask for. */
export function page<T>(call: Call, list: readonly T[]): readonly T[] {
  const limit = queryNumber(call, 'limit') ?? queryNumber(call, 'per_page')
  const pages = queryNumber(call, 'page')
  const offset = queryNumber(call, 'offset') ?? (pages === undefined ? 0 : (pages - 1) * (limit ?? 0))
  return list.slice(offset, limit === undefined ? undefined : offset + limit)
}
