import { readFileSync } from 'node:fs'
import { parseDocument, visit, type YAMLParseError } from 'yaml'
import { globalRegistry, type z } from 'zod'
import { ConfigError } from './config-error.ts'
import { contradictionsIn, warningsAbout } from './consistency.ts'
import { unusableFiles } from './named-files.ts'
import { type Config, ENVIRONMENT_NAME, schema } from './schema.ts'
import { openSecrets, type SecretFiles } from './secret-source.ts'

export interface Loaded {
  readonly config: Config
  readonly secrets: SecretFiles
  /** Choices that are allowed and should not last; said at every start. */
  readonly warnings: readonly string[]
}

type Environment = Readonly<Record<string, string | undefined>>

export interface LoadOptions {
  /** Named in messages. */
  readonly file?: string
  /**
   * The keys whose secrets and files this command uses; all, unless told. A command that uses few of them works where
   * the others are out of reach, such as on an administrator's own machine.
   */
  readonly uses?: (path: string) => boolean
}

/**
 * Reads, completes and checks a configuration file.
 * @throws {ConfigError} with every problem that could be found in one go.
 */
export function loadConfig(file: string, environment: Environment, uses?: LoadOptions['uses']): Loaded {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error'
    throw new ConfigError([
      `${file}: cannot be read (${code}); name the configuration with --config FILE or SALLYPORT_CONFIG`,
    ])
  }
  return parseConfig(text, environment, { file, ...(uses === undefined ? {} : { uses }) })
}

/** As {@link loadConfig}, from the text itself. */
export function parseConfig(text: string, environment: Environment, options: LoadOptions = {}): Loaded {
  const { file = 'configuration', uses = () => true } = options
  const { written, problems: unset } = readYaml(text, environment, file)
  const parsed = schema.safeParse(written, { error: describeIssue })
  // Where the file is not right, all else is looked for in it as it was written.
  const config: unknown = parsed.success ? parsed.data : written
  const secrets = openSecrets(config, environment)
  const problems = withoutEchoes([
    unset,
    parsed.success ? [] : parsed.error.issues.flatMap(linesOf),
    contradictionsIn(config),
    [...unusableFiles(config), ...secrets.problems].filter(line => uses(pathIn(line))),
  ])
  if (problems.length > 0 || !parsed.success) throw new ConfigError(problems)
  return { config: parsed.data, secrets: secrets.files, warnings: warningsAbout(parsed.data) }
}

/** The file as YAML 1.2, with each `${NAME}` replaced. */
function readYaml(text: string, environment: Environment, file: string): { written: unknown; problems: string[] } {
  const document = parseDocument(text, { uniqueKeys: true, prettyErrors: true })
  if (document.errors.length > 0) {
    // One slip makes the parser trip over everything behind it: past the first, only repeated keys are sure to be real.
    const real = document.errors.filter((error, index) => index === 0 || error.code === 'DUPLICATE_KEY')
    throw new ConfigError(real.map(error => `${file}: ${describeSyntax(error)}`))
  }
  const problems: string[] = []
  visit(document, {
    Scalar(_key, node, ancestors) {
      if (typeof node.value !== 'string') return
      const report = (problem: string): void => void problems.push(`${pathOfNode(ancestors, node)}: ${problem}`)
      node.value = node.value.replaceAll(/\$\{([^{}]*)\}/g, (whole, name: string) => {
        const value = environment[name]
        if (!ENVIRONMENT_NAME.test(name))
          report('has a ${…} without the name of an environment variable; there are no defaults')
        else if (value === undefined) report(`\${${name}} is not set in the environment`)
        else return value
        return whole
      })
    },
  })
  try {
    return { written: document.toJS() ?? {}, problems }
  } catch (error) {
    // An alias without its anchor, or aliases of aliases without end.
    throw new ConfigError([`${file}: ${error instanceof Error ? error.message : String(error)}`])
  }
}

function describeSyntax({ code, message }: YAMLParseError): string {
  if (code === 'MULTIPLE_DOCS') return 'has more than one YAML document; keep what stands before the second "---"'
  return message.split('\n')[0]?.replace(/:$/, '') ?? message
}

/** A problem with a key that an earlier look has found fault with follows from that fault, and would mislead. */
function withoutEchoes(looks: readonly (readonly string[])[]): string[] {
  const blamed = new Set<string>()
  return looks.flatMap(lines => {
    const fresh = lines.filter(line => !blamed.has(pathIn(line)))
    for (const line of fresh) blamed.add(pathIn(line))
    return fresh
  })
}

function pathIn(line: string): string {
  return line.slice(0, line.indexOf(': '))
}

function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
  const meaning = issue.inst === undefined ? undefined : globalRegistry.get(issue.inst as z.ZodType)?.description
  const hint = meaning === undefined ? '' : ` (${meaning.replace(/\.$/, '')})`
  if (issue.code === 'invalid_type') {
    if (issue.input === undefined) return `is required${hint}`
    return `has to be ${article(issue.expected)}${spellingOf(issue.expected, issue.input)}${hint}`
  }
  if (issue.code === 'invalid_value') return `has to be one of: ${issue.values.map(String).join(', ')}`
  if (issue.code === 'too_small') {
    if (issue.minimum === 1 && issue.origin === 'string') return `is empty${hint}`
    if (issue.minimum === 1 && issue.origin === 'array') return `is empty; name at least one${hint}`
    return `has to be ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${unitOf(issue.origin)}`
  }
  if (issue.code === 'too_big') return `has to be at most ${issue.maximum}${unitOf(issue.origin)}`
  return undefined
}

function article(type: string): string {
  const word = { object: 'block of keys', record: 'block of keys', array: 'list', int: 'whole number' }[type]
  return type === 'boolean' ? 'true or false' : `a ${word ?? type}`
}

/** YAML takes `8` for a number and `'8'` for text; the mistake is in the quotes. */
function spellingOf(expected: string, input: unknown): string {
  if (expected === 'string' && ['number', 'boolean'].includes(typeof input)) return '; put it in quotes'
  return expected === 'string' || typeof input !== 'string' ? '' : '; write it without quotes'
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
