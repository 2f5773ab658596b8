import { readFileSync } from 'node:fs'
import { parseDocument, visit } from 'yaml'
import { globalRegistry, type z } from 'zod'
import { inspectConfig } from './consistency.ts'
import { type Config, schema } from './schema.ts'
import { openSecrets, type SecretFiles } from './secret-source.ts'

/** The configuration was refused. Each problem is one line that starts with the key's path. */
export class ConfigError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.name = 'ConfigError'
    this.problems = problems
  }
}

export interface Loaded {
  readonly config: Config
  readonly secrets: SecretFiles
  /** Choices that are allowed and should not last; said at every start. */
  readonly warnings: readonly string[]
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Reads, completes and checks a configuration file.
 * @throws {ConfigError} with every problem that could be found in one go.
 */
export function loadConfig(file: string, environment: Environment): Loaded {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error'
    throw new ConfigError([
      `${file}: cannot be read (${code}); name the configuration with --config FILE or SALLYPORT_CONFIG`,
    ])
  }
  return parseConfig(text, environment, file)
}

/** As {@link loadConfig}, from the text itself. `file` is named in messages. */
export function parseConfig(text: string, environment: Environment, file = 'configuration'): Loaded {
  const document = parseDocument(text, { uniqueKeys: true, prettyErrors: true })
  if (document.errors.length > 0) {
    // One slip makes the parser trip over everything behind it: past the first, only repeated keys are sure to be real.
    const real = document.errors.filter((error, index) => index === 0 || error.code === 'DUPLICATE_KEY')
    throw new ConfigError(real.map(error => `${file}: ${error.message.split('\n')[0]?.replace(/:$/, '')}`))
  }
  const problems: string[] = []
  visit(document, {
    Scalar(_key, node, ancestors) {
      if (typeof node.value !== 'string') return
      node.value = node.value.replaceAll(/\$\{([A-Za-z_]\w*)\}/g, (whole, name: string) => {
        const value = environment[name]
        if (value !== undefined) return value
        problems.push(`${pathOfNode(ancestors, node)}: \${${name}} is not set in the environment`)
        return whole
      })
    },
  })

  const written: unknown = document.toJS() ?? {}
  const parsed = schema.safeParse(written, { error: describeIssue })
  if (!parsed.success) {
    const unreadable = openSecrets(written, environment).problems
    throw new ConfigError([...problems, ...parsed.error.issues.flatMap(linesOf), ...unreadable])
  }
  const sense = inspectConfig(parsed.data)
  const secrets = openSecrets(parsed.data, environment)
  problems.push(...sense.problems, ...secrets.problems)
  if (problems.length > 0) throw new ConfigError(problems)
  return { config: parsed.data, secrets: secrets.files, warnings: sense.warnings }
}

function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
  const meaning = issue.inst === undefined ? undefined : globalRegistry.get(issue.inst as z.ZodType)?.description
  const hint = meaning === undefined ? '' : ` (${meaning.replace(/\.$/, '')})`
  if (issue.code === 'invalid_type') {
    return issue.input === undefined ? `is required${hint}` : `has to be ${article(issue.expected)}${hint}`
  }
  if (issue.code === 'invalid_value') return `has to be one of: ${issue.values.map(String).join(', ')}`
  if (issue.code === 'too_small') return `has to be at least ${issue.minimum}${unitOf(issue.origin)}`
  if (issue.code === 'too_big') return `has to be at most ${issue.maximum}${unitOf(issue.origin)}`
  return undefined
}

function article(type: string): string {
  const word = { object: 'block of keys', record: 'block of keys', array: 'list', int: 'whole number' }[type] ?? type
  return `a ${word}`
}

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters long'
  return origin === 'array' ? ' entries long' : ''
}

function linesOf(issue: z.core.$ZodIssue): string[] {
  if (issue.code !== 'unrecognized_keys') return [`${printPath(issue.path)}: ${issue.message}`]
  const hints = issue.message.split('\n')
  return issue.keys.map((key, index) => `${printPath([...issue.path, key])}: ${hints[index] ?? 'is not a known key'}`)
}

/** `issuers[0].claims.email` */
export function printPath(path: readonly PropertyKey[]): string {
  const text = path.map(part => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')
  return text.replace(/^\./, '') || 'configuration'
}

function pathOfNode(ancestors: readonly unknown[], leaf: unknown): string {
  const path: PropertyKey[] = []
  for (const [index, ancestor] of ancestors.entries()) {
    const child = ancestors[index + 1] ?? leaf
    const { items, key } = ancestor as { items?: unknown[]; key?: { value?: unknown } }
    if (key !== undefined) path.push(String(key.value))
    else if (items !== undefined && !isPair(child)) path.push(items.indexOf(child))
  }
  return printPath(path)
}

function isPair(node: unknown): boolean {
  return typeof node === 'object' && node !== null && 'key' in node && 'value' in node && !('items' in node)
}
