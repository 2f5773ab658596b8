/** Reads what was written in the file while it is not yet known to be right: what is not there, or is something else, is absent. */
export function valueAt(written: unknown, ...path: readonly (string | number)[]): unknown {
  let value = written
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = (value as Record<string | number, unknown>)[key]
  }
  return value
}

export function textAt(written: unknown, ...path: readonly (string | number)[]): string | undefined {
  const value = valueAt(written, ...path)
  return typeof value === 'string' ? value : undefined
}

export function itemsAt(written: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const value = valueAt(written, ...path)
  return Array.isArray(value) ? value : []
}
