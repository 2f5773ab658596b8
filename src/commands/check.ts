import { stringify } from 'yaml'
import { unbuilt } from '../config/consistency.ts'
import { loadConfig } from '../config/load.ts'
import { redacted } from '../config/secret-source.ts'

/** Prints the configuration as it counts, with every default filled in and every secret as `[secret]`. */
export function check(file: string): number {
  const { config, warnings } = loadConfig(file, process.env)
  process.stdout.write(stringify(redacted(config), { lineWidth: 120 }))
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`)
  for (const line of unbuilt(config)) process.stderr.write(`warning: serve will refuse this: ${line}\n`)
  return 0
}
