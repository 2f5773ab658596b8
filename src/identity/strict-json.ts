/**
 * Parses a JSON object and refuses repeated member names, of which `JSON.parse` keeps the last: two readers of one
 * token could see two persons (RFC 8725 §2.4, RFC 7519 §4 lets a parser refuse).
 * @returns undefined where the text is not such an object.
 */
export function parseStrictObject(text: string): Record<string, unknown> | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return hasRepeatedMember(text) ? undefined : (value as Record<string, unknown>)
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g

/** Walks text that is known to be JSON. */
function hasRepeatedMember(text: string): boolean {
  // One entry for each open bracket: the names seen in an object, undefined for an array.
  const open: (Set<string> | undefined)[] = []
  let expectsName = false
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{') {
      open.push(new Set())
      expectsName = true
    } else if (token === '[') {
      open.push(undefined)
      expectsName = false
    } else if (token === '}' || token === ']') {
      open.pop()
      expectsName = false
    } else if (token === ',') {
      expectsName = open.at(-1) !== undefined
    } else if (token === ':') {
      expectsName = false
    } else if (expectsName) {
      const names = open.at(-1)
      const name: string = JSON.parse(token)
      if (names?.has(name)) return true
      names?.add(name)
    }
  }
  return false
}
