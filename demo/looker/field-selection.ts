import { isRecord } from './body.ts'

type Selection = Map<string, Selection | undefined>

/** Reads `id,credentials_embed(external_user_id)`, the form of Looker's `fields` parameter. */
function parse(text: string): Selection {
  const root: Selection = new Map()
  const open: Selection[] = [root]
  let last = ''
  for (const [token] of text.matchAll(/[(),]|[^(),\s]+/g)) {
    const here = open.at(-1) ?? root
    if (token === '(') {
      const inner: Selection = new Map()
      here.set(last, inner)
      open.push(inner)
    } else if (token === ')') {
      if (open.length > 1) open.pop()
    } else if (token !== ',') {
      last = token
      here.set(token, undefined)
    }
  }
  return root
}

function apply(value: unknown, selection: Selection): unknown {
  if (Array.isArray(value)) return value.map(entry => apply(entry, selection))
  if (!isRecord(value)) return value
  return Object.fromEntries(
    [...selection].flatMap(([name, inner]) => {
      if (!Object.hasOwn(value, name)) return []
      return [[name, inner === undefined ? value[name] : apply(value[name], inner)]]
    }),
  )
}

/** Only the members named; names a document does not have are passed over. */
export function selectFields(document: unknown, fields: string): unknown {
  const selection = parse(fields)
  return selection.size === 0 ? document : apply(document, selection)
}
