import { readFileSync } from 'node:fs'
import { Secret, type SecretSource } from '../core/secret.ts'
import { ENVIRONMENT_NAME, type SecretSpec } from './schema.ts'

const POLL_MILLISECONDS = 1000

export interface SecretFiles {
  /** The living value behind a place of the configuration that holds a secret. */
  source(spec: SecretSpec): SecretSource
  /** Looks at the files again whenever they change; `report` hears of each reload and of each that failed. */
  watch(report: (event: { file: string; error?: string }) => void): void
  close(): void
}

type Environment = Readonly<Record<string, string | undefined>>

class RotatingSecret implements SecretSource {
  #value: Secret

  constructor(text: string) {
    this.#value = new Secret(text)
  }

  current(): Secret {
    return this.#value
  }

  /** Returns whether the text is another one. */
  replace(text: string): boolean {
    if (text === this.#value.reveal()) return false
    this.#value = new Secret(text)
    return true
  }
}

interface Form {
  readonly path: RegExp
  holds(text: string): boolean
  readonly problem: string
}

/** What a secret has to look like, by the key that names it. Said without saying the secret. */
const FORMS: readonly Form[] = [
  {
    path: /^store\.sealKeys\[\d+\]\.key$/,
    holds: isSealKey,
    problem: 'does not hold 32 bytes in base64; make them with `openssl rand -base64 32`',
  },
  {
    path: /^store\.redis\.url$/,
    holds: text => /^rediss?:\/\//.test(text) && URL.canParse(text),
    problem: 'does not hold a redis:// or rediss:// URL',
  },
]

function isSealKey(text: string): boolean {
  const bytes = Buffer.from(text, 'base64')
  return bytes.length === 32 && bytes.toString('base64').replace(/=+$/, '') === text.trim().replace(/=+$/, '')
}

/** Opens every secret the configuration names. A secret that cannot be had is a problem with its key's path. */
export function openSecrets(config: unknown, environment: Environment): { files: SecretFiles; problems: string[] } {
  const sources = new Map<SecretSpec, RotatingSecret>()
  const byFile = new Map<string, { source: RotatingSecret; form: Form | undefined }[]>()
  const problems: string[] = []
  let timer: NodeJS.Timeout | undefined
  for (const { path, spec } of findSecrets(config)) {
    const form = FORMS.find(candidate => candidate.path.test(path))
    const text = 'fromEnv' in spec ? readVariable(spec.fromEnv, environment, form) : readSecretFile(spec.fromFile, form)
    if (text instanceof Error) {
      problems.push(`${path}: ${text.message}`)
      continue
    }
    const source = new RotatingSecret(text)
    sources.set(spec, source)
    if ('fromFile' in spec) byFile.set(spec.fromFile, [...(byFile.get(spec.fromFile) ?? []), { source, form }])
  }

  const files: SecretFiles = {
    source(spec) {
      const source = sources.get(spec)
      if (source === undefined) throw new Error('a secret was asked for that the configuration does not name')
      return source
    },
    watch(report) {
      const troubles = new Map<string, string>()
      const look = (): void => {
        for (const [file, targets] of byFile) {
          // What a place cannot use does not get there: the value before it still counts.
          const read = targets.map(({ source, form }) => ({ source, text: readSecretFile(file, form) }))
          const trouble = read.map(({ text }) => text).find(text => text instanceof Error)?.message
          if (trouble !== undefined) {
            if (troubles.get(file) !== trouble) report({ file, error: trouble })
            troubles.set(file, trouble)
            continue
          }
          troubles.delete(file)
          if (read.filter(({ source, text }) => source.replace(String(text))).length > 0) report({ file })
        }
      }
      // Read again and compared, not watched: a mounted Kubernetes secret changes by a symbolic link two folders up, which
      // inotify on the file misses, and a watch by the file's dates misses what changed between the load and its first look.
      if (byFile.size > 0) timer = setInterval(look, POLL_MILLISECONDS).unref()
    },
    close() {
      clearInterval(timer)
    },
  }
  return { files, problems }
}

function readVariable(name: string, environment: Environment, form: Form | undefined): string | Error {
  // A name that is none may be the secret itself, put in the wrong place: the schema says so without repeating it.
  if (!ENVIRONMENT_NAME.test(name)) return new Error('has no name of an environment variable in fromEnv')
  const text = environment[name]
  if (text === undefined || text === '') return new Error(`the environment variable ${name} is not set`)
  return form?.holds(text) === false ? new Error(`the environment variable ${name} ${form.problem}`) : text
}

function readSecretFile(file: string, form: Form | undefined): string | Error {
  try {
    const text = readFileSync(file, 'utf8').replace(/\r?\n$/, '')
    if (text === '') return new Error(`the file ${file} is empty`)
    return form?.holds(text) === false ? new Error(`the file ${file} ${form.problem}`) : text
  } catch (error) {
    return new Error(`the file ${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`)
  }
}

function isSecretSpec(value: object): value is SecretSpec {
  const [[key, name] = [], ...more] = Object.entries(value)
  return more.length === 0 && (key === 'fromEnv' || key === 'fromFile') && typeof name === 'string'
}

function* findSecrets(value: unknown, path = ''): Generator<{ path: string; spec: SecretSpec }> {
  if (typeof value !== 'object' || value === null) return
  if (isSecretSpec(value)) {
    yield { path: path.replace(/^\./, ''), spec: value }
    return
  }
  for (const [key, child] of Object.entries(value)) {
    yield* findSecrets(child, Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`)
  }
}

/** The same tree with `[secret]` wherever a secret is named. */
export function redacted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (isSecretSpec(value)) return '[secret]'
  if (Array.isArray(value)) return value.map(redacted)
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, redacted(child)]))
}
