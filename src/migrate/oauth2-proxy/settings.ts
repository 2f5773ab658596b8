import { parse } from 'smol-toml'
import { FLAGS } from './flags.ts'

/** What an oauth2-proxy was told: each flag by its name, whatever it was written in. */
export interface Settings {
  text(flag: string): string | undefined
  list(flag: string): readonly string[]
  isOn(flag: string): boolean
  has(flag: string): boolean
  /** Names of what was given, in its order. */
  readonly given: readonly string[]
  /** What was given and is none of oauth2-proxy's. */
  readonly unknown: readonly string[]
}

export type Values = ReadonlyMap<string, readonly string[]>

/** @param sources in rising order of precedence. A flag of a later one replaces those before it. */
export function createSettings(...sources: readonly Values[]): Settings {
  const all = new Map(sources.flatMap(source => Array.from(source)))
  const known = [...all.keys()].filter(flag => Object.hasOwn(FLAGS, flag))
  const list = (flag: string): readonly string[] => all.get(flag) ?? []
  return {
    // An empty one is one that was not given, as in oauth2-proxy itself.
    text: flag => list(flag).findLast(value => value !== ''),
    list: flag => list(flag).filter(value => value !== ''),
    isOn: flag => /^(true|1|t)$/i.test(list(flag).at(-1) ?? ''),
    has: flag => list(flag).some(value => value !== ''),
    given: known,
    unknown: [...all.keys()].filter(flag => !known.includes(flag)),
  }
}

/** `--flag=value`, `--flag value` and `--flag`; what is none of them is in `files`. */
export function readFlags(args: readonly string[]): { values: Values; files: readonly string[] } {
  const values = new Map<string, string[]>()
  const files: string[] = []
  const rest = args.filter(arg => arg !== '--')
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    const [, name, given] = /^--?([A-Za-z][\w.-]*)(?:=(.*))?$/s.exec(arg) ?? []
    if (name === undefined) {
      files.push(arg)
      continue
    }
    const kind = FLAGS[name]?.kind
    const next = rest[0]
    const takesNext = given === undefined && kind !== 'bool' && next !== undefined && !next.startsWith('-')
    const value = given ?? (takesNext ? (rest.shift() ?? '') : 'true')
    values.set(name, [...(values.get(name) ?? []), ...(kind === 'list' ? split(value) : [value])])
  }
  return { values, files }
}

/**
 * An `oauth2-proxy.cfg`: TOML, with underscores for dashes, and names of lists in the plural.
 * @throws where it is no TOML; the message shows none of it, for secrets are in it.
 */
export function readConfigFile(text: string): Values {
  let document: Record<string, unknown>
  try {
    document = parse(text)
  } catch (error) {
    const { line = 0, column = 0 } = error as { line?: number; column?: number }
    throw new Error(`is not TOML (line ${line}, column ${column})`, { cause: error })
  }
  const entries = Object.entries(document).map(([key, value]): [string, readonly string[]] => {
    const name = flagOf(key)
    const items = (Array.isArray(value) ? value : [value]).map(String)
    return [name, FLAGS[name]?.kind === 'list' && !Array.isArray(value) ? items.flatMap(split) : items]
  })
  return new Map(entries)
}

function flagOf(key: string): string {
  const name = key.replaceAll('_', '-')
  const singular = name.replace(/s$/, '')
  return !Object.hasOwn(FLAGS, name) && Object.hasOwn(FLAGS, singular) ? singular : name
}

function split(value: string): string[] {
  return value.split(',').map(item => item.trim())
}
