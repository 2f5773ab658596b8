import { AUDIT_KEY } from '../audit/chain.ts'
import { verifyAuditFile } from '../audit/verify.ts'
import { loadConfig } from '../config/load.ts'
import { deriveKey } from '../store/seal.ts'

/** Checks an audit file. Exit 0: every line holds; 1: the numbers of those that do not. */
export async function verifyAudit(file: string, configFile: string): Promise<number> {
  const { config, secrets } = loadConfig(configFile, process.env, path => path.startsWith('store.sealKeys'))
  const keys = (config.store.sealKeys ?? []).map(({ key }) => deriveKey(secrets.source(key).current(), AUDIT_KEY))
  const { lines, broken, endKnown } = await verifyAuditFile(file, keys)
  if (keys.length === 0)
    process.stderr.write(
      'warning: there are no store.sealKeys: the chain is unkeyed, so it shows accidents and not forgery\n',
    )
  if (!endKnown) process.stderr.write(`warning: ${file}.head is not there: lines cut off the end would not be missed\n`)
  for (const { line, problem } of broken) process.stdout.write(`line ${line}: ${problem}\n`)
  process.stdout.write(
    broken.length === 0
      ? `${lines} lines hold\n`
      : `${broken.length} of ${lines} lines do not hold: ${broken.map(({ line }) => line).join(', ')}\n`,
  )
  return broken.length === 0 ? 0 : 1
}
