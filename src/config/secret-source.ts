import { readFileSync, unwatchFile, watchFile } from 'node:fs'
import { Secret, type SecretSource } from '../core/secret.ts'
import type { SecretSpec } from './schema.ts'

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

/** Opens every secret the configuration names. A secret that cannot be had is a problem with its key's path. */
export function openSecrets(config: unknown, environment: Environment): { files: SecretFiles; problems: string[] } {
  const sources = new Map<SecretSpec, RotatingSecret>()
  const byFile = new Map<string, RotatingSecret[]>()
  const problems: string[] = []
  for (const { path, spec } of findSecrets(config)) {
    if ('fromEnv' in spec) {
      const value = environment[spec.fromEnv]
      if (value === undefined || value === '')
        problems.push(`${path}: the environment variable ${spec.fromEnv} is not set`)
      else sources.set(spec, new RotatingSecret(value))
      continue
    }
    const text = readSecretFile(spec.fromFile)
    if (text instanceof Error) {
      problems.push(`${path}: ${text.message}`)
      continue
    }
    const source = new RotatingSecret(text)
    sources.set(spec, source)
    byFile.set(spec.fromFile, [...(byFile.get(spec.fromFile) ?? []), source])
  }

  const files: SecretFiles = {
    source(spec) {
      const source = sources.get(spec)
      if (source === undefined) throw new Error('a secret was asked for that the configuration does not name')
      return source
    },
    watch(report) {
      for (const [file, targets] of byFile) {
        // Polled, because a mounted Kubernetes secret changes by a symbolic link two folders up, which inotify on the file misses.
        watchFile(file, { persistent: false, interval: POLL_MILLISECONDS }, () => {
          const text = readSecretFile(file)
          if (text instanceof Error) return report({ file, error: text.message })
          if (targets.filter(target => target.replace(text)).length > 0) report({ file })
        })
      }
    },
    close() {
      for (const file of byFile.keys()) unwatchFile(file)
    },
  }
  return { files, problems }
}

function readSecretFile(file: string): string | Error {
  try {
    const text = readFileSync(file, 'utf8').replace(/\r?\n$/, '')
    return text === '' ? new Error(`the file ${file} is empty`) : text
  } catch (error) {
    return new Error(`the file ${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`)
  }
}

function isSecretSpec(value: object): value is SecretSpec {
  const [key, ...more] = Object.keys(value)
  return more.length === 0 && (key === 'fromEnv' || key === 'fromFile')
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
