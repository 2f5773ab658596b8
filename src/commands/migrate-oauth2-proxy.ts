import { readFileSync } from 'node:fs'
import { type Document, isMap, isSeq, parseDocument, stringify, visit } from 'yaml'
import { ConfigError } from '../config/config-error.ts'
import { parseConfig } from '../config/load.ts'
import { isAlphaConfig, readAlphaConfig } from '../migrate/oauth2-proxy/alpha-config.ts'
import { FILL_IN } from '../migrate/oauth2-proxy/notes.ts'
import { createSettings, readConfigFile, readFlags, type Values } from '../migrate/oauth2-proxy/settings.ts'
import { translate } from '../migrate/oauth2-proxy/translate.ts'

/** Prints the configuration that stands for an oauth2-proxy's; on standard error, what it cannot say. */
export function migrateOauth2Proxy(args: readonly string[]): number {
  const { values, files } = readFlags(args)
  if (values.size + files.length === 0) {
    throw new Error('migrate oauth2-proxy: name its configuration file, or its flags as it is started with them')
  }
  const named = ['config', 'alpha-config'].flatMap(flag => values.get(flag) ?? [])
  const own = new Map([...values].filter(([flag]) => !['config', 'alpha-config'].includes(flag)))
  const settings = createSettings(...[...named, ...files].map(readSettings), own)
  const { config, notes, moot } = translate(settings, readOrNothing)

  const text = write(config)
  process.stdout.write(text)
  const problems = problemsOf(text)
  say('To do before it serves', [...notes.toDo, ...problems.map(problem => `check will say ${problem}`)])
  say('Without an equivalent', notes.lost)
  say('Needs nothing', moot.length === 0 ? [] : [moot.join(', ')])
  return 0
}

function readSettings(file: string): Values {
  const text = readOrNothing(file)
  if (text === undefined) throw new Error(`${file}: cannot be read`)
  try {
    return isAlphaConfig(file, text) ? readAlphaConfig(text) : readConfigFile(text)
  } catch (error) {
    throw new Error(`${file}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

function readOrNothing(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

function write(config: object): string {
  const document: Document = parseDocument(stringify(config))
  document.commentBefore = ` Made from an oauth2-proxy’s configuration. What is to be filled in says "${FILL_IN}".`
  visit(document, {
    Map(_key, node) {
      // What is short is read faster in one line: secrets, rules, Redis nodes.
      if (node.items.every(({ value }) => !isMap(value) && !(isSeq(value) && value.items.some(isMap)))) {
        if (node.has('fromEnv') || node.has('fromFile') || node.has('paths') || node.has('host')) node.flow = true
      }
    },
    Seq(_key, node) {
      if (!node.items.some(isMap)) node.flow = true
    },
  })
  return `${document.toString({ lineWidth: 120 }).trimEnd()}\n`
}

/** What `check` would say of the file itself, with every variable set. */
function problemsOf(text: string): readonly string[] {
  try {
    parseConfig(text, { OAUTH2_PROXY_CLIENT_ID: FILL_IN }, { uses: () => false })
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

function say(title: string, lines: readonly string[]): void {
  if (lines.length > 0) process.stderr.write(`${title}:\n${lines.map(line => `  - ${line}\n`).join('')}`)
}
