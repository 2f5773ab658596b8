import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'

/** A child process under measurement (Linux: the figures are from /proc). */
export interface Measured {
  readonly pid: number
  /** User and system time so far, in microseconds. */
  cpuMicroseconds(): number
  rssMegabytes(): number
  /** Where it has not ended yet. */
  stop(): Promise<void>
}

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
    // Of each thread; /proc/PID/stat counts in hundredths of a second.
    cpuMicroseconds() {
      const threads = readdirSync(`/proc/${pid}/task`)
      const nanoseconds = threads.map(
        thread => readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0],
      )
      return nanoseconds.reduce((sum, spent) => sum + Number(spent) / 1000, 0)
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
