import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { CREDENTIALS } from '../../demo/issuer/clients.ts'
import packageJson from '../../package.json' with { type: 'json' }
import { freePort } from '../../demo/free-port.ts'
import { ACCESS_TOKEN_TYPE, EXCHANGE_GRANT, SEAL_KEYS, type Written } from './world.ts'

const ROOT = new URL('../..', import.meta.url).pathname
/** As users start it: with the flags of the npm script. */
const [, ...SALLYPORT] = packageJson.scripts.sallyport.split(' ')
/** How much of what the process printed is kept. */
const KEPT_OUTPUT = 200_000

/** A sidecar as a process of its own, for tests of its memory, its signals and its end. */
export interface SidecarProcess {
  readonly url: string
  readonly adminUrl: string
  readonly pid: number
  /** The last of what it printed, on both streams. */
  output(): string
  /** Goes away as the reader of its standard output. */
  stopReading(): void
  exchange(subjectToken: string): Promise<Response>
  /** The most memory it ever had, in mebibytes; Linux alone says so. */
  highWater(): number
  /** Sends a signal and resolves with the exit code once the process has ended; null where the signal ended it. */
  end(signal: NodeJS.Signals): Promise<number | null>
  /** Starts it again on the same ports, and waits until it is ready. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** Runs `sallyport serve` with this configuration, on ports of its own, and waits until it is ready. */
export async function startSidecarProcess(written: Written, options: { port?: number } = {}): Promise<SidecarProcess> {
  const [port, adminPort] = [options.port ?? (await freePort()), await freePort()]
  const [url, adminUrl] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${adminPort}`]
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-serve-'))
  const file = join(directory, 'sallyport.yaml')
  const addresses = { listen: `127.0.0.1:${port}`, admin: `127.0.0.1:${adminPort}` }
  await writeFile(file, stringify({ ...written, server: { ...(written['server'] as Written), ...addresses } }))

  let child: ChildProcess | undefined
  let output = ''
  const start = async (): Promise<void> => {
    const secrets = { LOOKER_SECRET: 'looker-secret', WEB_SECRET: CREDENTIALS.web.clientSecret, ...SEAL_KEYS }
    const env = { ...process.env, ...secrets, NODE_ENV: 'production' }
    const started = spawn(process.execPath, [...SALLYPORT, 'serve', '--config', file], {
      env,
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child = started
    for (const stream of [started.stdout, started.stderr]) {
      stream.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-KEPT_OUTPUT)))
    }
    const deadline = performance.now() + 30_000
    while (!(await isReady())) {
      if (started.exitCode !== null || performance.now() > deadline) throw new Error(`it did not start: ${output}`)
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
  const isReady = async (): Promise<boolean> => {
    try {
      const response = await fetch(`${adminUrl}/readyz`)
      await response.text()
      return response.ok
    } catch {
      return false
    }
  }
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    const running = child
    if (running === undefined || running.exitCode !== null || running.signalCode !== null)
      return running?.exitCode ?? null
    const ended = once(running, 'exit')
    running.kill(signal)
    await ended
    return running.exitCode
  }

  await start()
  return {
    url,
    adminUrl,
    get pid() {
      return child?.pid ?? 0
    },
    output: () => output,
    stopReading: () => child?.stdout?.destroy(),
    exchange: subjectToken => fetch(`${url}/sallyport/token`, { method: 'POST', body: exchangeForm(subjectToken) }),
    highWater() {
      const status = readFileSync(`/proc/${child?.pid}/status`, 'utf8')
      return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024
    },
    end,
    restart: start,
    async stop() {
      await end('SIGKILL')
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** The body of a token exchange. */
export function exchangeForm(subjectToken: string): URLSearchParams {
  return new URLSearchParams({
    grant_type: EXCHANGE_GRANT,
    subject_token: subjectToken,
    subject_token_type: ACCESS_TOKEN_TYPE,
  })
}
