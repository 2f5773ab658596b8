import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/** Where Debian puts servers, which is not on everybody's path. */
const PATH = `${process.env['PATH']}:/usr/sbin`

export function onPath(command: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${command}`], { env: { ...process.env, PATH } }).status === 0
}

/**
 * Installs what is missing where that can be done without asking: on Debian, as root.
 * @param packages by the command that each brings.
 */
export function installMissing(packages: Readonly<Record<string, string>>): void {
  const missing = Object.keys(packages).filter(command => !onPath(command))
  if (missing.length === 0 || !existsSync('/etc/debian_version') || process.getuid?.() !== 0) return
  process.stderr.write(`${missing.join(' and ')} not here: installing with apt-get\n`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const names = missing.map(command => packages[command] ?? command)
  try {
    execFileSync('apt-get', ['update', '-qq'], { stdio: 'ignore', env })
    execFileSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], { stdio: 'ignore', env })
  } catch (error) {
    // Tests that need it fail, and say so.
    process.stderr.write(`${String(error)}\n`)
  }
}
