import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'

/** A child process under measurement (Linux: the figures are from /proc). */
export interface Measured {
  readonly pid: number
  /** User and system time so far, in microseconds. */
  cpuMicroseconds(): number
  rssMegabytes(): number
  /** Where it has not ended yet. */
  stop(): Promise<void>
}

/** USER_HZ: what /proc counts CPU time in; 100 on every Linux that Node runs on. */
const TICKS_A_SECOND = 100

export async function startProcess(
  script: string,
  args: readonly string[],
  env: Record<string, string>,
  readyUrl: string,
  flags: readonly string[] = [],
): Promise<Measured> {
  const child: ChildProcess = spawn(process.execPath, [...flags, script, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const { pid } = child
  if (pid === undefined) throw new Error(`${script} did not start`)
  await untilReady(readyUrl, child)
  return {
    pid,
    cpuMicroseconds() {
      // Fields 14 and 15, counted behind the name, which may hold spaces.
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
      return ((Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND) * 1_000_000
    },
    rssMegabytes() {
      const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
      return Number(kilobytes) / 1024
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
    },
  }
}

async function untilReady(url: string, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + 20_000
  for (;;) {
    if (child.exitCode !== null) throw new Error(`a process ended with ${child.exitCode} before it was ready`)
    try {
      const { status } = await fetch(url)
      if (status < 500) return
    } catch {
      // Not listening yet; the deadline bounds this.
    }
    if (performance.now() > deadline) throw new Error(`${url} was not ready in 20 s`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}
