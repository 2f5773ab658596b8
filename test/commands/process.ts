import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

export interface Ended {
  /** The signal's name where it was ended by one that it did not handle. */
  readonly code: number | string
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly process: ChildProcess
  readonly stdout: () => string
  /** Resolves when standard output has the text; rejects when the process ended without. */
  said(text: string): Promise<void>
  readonly ended: Promise<Ended>
}

/** The command line in a process of its own. Ended with the test, whatever becomes of it. */
export function startCommand(args: readonly string[], environment: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env['PATH'] ?? '', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  const onText: (() => void)[] = []
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
    for (const listener of onText) listener()
  })
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: (code ?? signal) as number | string,
    stdout,
    stderr,
  }))
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return {
    process: child,
    stdout: () => stdout,
    said: text =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (stdout.includes(text)) resolve()
        }
        onText.push(look)
        look()
        void ended.then(end => reject(new Error(`ended before it said ${text}: ${JSON.stringify(end)}`)))
      }),
    ended,
  }
}

export function runCommand(args: readonly string[], environment?: Record<string, string>): Promise<Ended> {
  return startCommand(args, environment).ended
}

export function linesOf(text: string): string[] {
  return text.split('\n').filter(line => line !== '')
}
