import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SEAL_KEYS } from './world.ts'

export interface TempDir {
  readonly path: string
  remove(): void
}

export function tempDir(): TempDir {
  const path = mkdtempSync(join(tmpdir(), 'sallyport-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname

/** Runs `sallyport` to its end, with the secrets that the tests' configurations name. */
export function runCli(args: readonly string[]): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], LOOKER_SECRET: 'looker-secret', ...SEAL_KEYS },
  })
  return { code: status, stdout, stderr }
}
