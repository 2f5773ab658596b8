import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { itemsAt, textAt } from './written.ts'

/** Files that the configuration names and this machine cannot use; those of secrets are `secret-source.ts`'s. */
export function unusableFiles(written: unknown): string[] {
  const certificates = [
    ...itemsAt(written, 'issuers').map(
      (issuer, index) => [`issuers[${index}].caFile`, textAt(issuer, 'caFile')] as const,
    ),
    ['app.caFile', textAt(written, 'app', 'caFile')] as const,
    ['looker.caFile', textAt(written, 'looker', 'caFile')] as const,
    ['store.redis.caFile', textAt(written, 'store', 'redis', 'caFile')] as const,
  ]
  const problems = certificates.flatMap(([path, file]) => problemOf(path, file, unreadableCertificate))
  return [...problems, ...problemOf('audit.file', textAt(written, 'audit', 'file'), unwritable)]
}

function problemOf(
  path: string,
  file: string | undefined,
  inspect: (file: string) => string | undefined,
): readonly string[] {
  if (file === undefined || file === '') return []
  const problem = inspect(file)
  return problem === undefined ? [] : [`${path}: ${problem}`]
}

function unreadableCertificate(file: string): string | undefined {
  if (!existsSync(file)) return `there is no file ${file}`
  try {
    return readFileSync(file, 'utf8').includes('-----BEGIN CERTIFICATE-----')
      ? undefined
      : `the file ${file} has no certificate in PEM; it starts with -----BEGIN CERTIFICATE-----`
  } catch (error) {
    return `the file ${file} cannot be read (${codeOf(error)})`
  }
}

/** Looks without leaving anything behind: `check` is no reason for a log to appear. */
function unwritable(file: string): string | undefined {
  const failed = (code: string): string =>
    `the file ${file} cannot be opened for appending (${code}); name one that this process may create or write`
  try {
    if (existsSync(file)) {
      if (statSync(file).isDirectory()) return failed('EISDIR')
      accessSync(file, constants.R_OK | constants.W_OK)
      return undefined
    }
    // Folders that are not there are made at start, below the first that is.
    let folder = dirname(resolve(file))
    while (!existsSync(folder) && folder !== dirname(folder)) folder = dirname(folder)
    if (!statSync(folder).isDirectory()) return failed('ENOTDIR')
    accessSync(folder, constants.W_OK | constants.X_OK)
    return undefined
  } catch (error) {
    return failed(codeOf(error))
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown error'
}
