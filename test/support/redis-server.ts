import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A redis-server of one's own, for tests that stop it, start it again, or read everything in it. */
export interface RedisServer {
  readonly url: string
  readonly port: number
  readonly pid: number
  /** Ends the process; the port stays ours. What was in it is gone unless `appendOnly`. */
  halt(): Promise<void>
  /** Starts it again on the same port. */
  resume(): Promise<void>
  stop(): Promise<void>
}

export async function startRedisServer(
  options: { appendOnly?: boolean; args?: readonly string[] } = {},
): Promise<RedisServer> {
  const port = await freePort()
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-redis-'))
  let child: ChildProcess | undefined

  const resume = async (): Promise<void> => {
    const started = spawn(
      'redis-server',
      ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', '']
        .concat(['--appendonly', options.appendOnly === true ? 'yes' : 'no'])
        .concat(options.args ?? []),
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    child = started
    let output = ''
    await new Promise<void>((resolve, reject) => {
      started.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString()
        if (output.includes('Ready to accept connections')) resolve()
      })
      started.once('error', reject)
      started.once('exit', code => reject(new Error(`redis-server ended with ${code}: ${output.slice(-500)}`)))
    })
  }
  const halt = async (): Promise<void> => {
    const running = child
    child = undefined
    if (running === undefined || running.exitCode !== null) return
    running.removeAllListeners('exit')
    const ended = once(running, 'exit')
    running.kill('SIGKILL')
    await ended
  }

  await resume()
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return child?.pid ?? 0
    },
    halt,
    resume,
    async stop() {
      await halt()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
