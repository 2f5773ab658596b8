import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../demo/free-port.ts'

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

/** What a server shows to its clients and, for the connections between servers, whom it believes. All of it PEM. */
export interface RedisTls {
  readonly key: string
  readonly cert: string
  readonly ca: string
}

export async function startRedisServer(
  options: { appendOnly?: boolean; args?: readonly string[]; tls?: RedisTls } = {},
): Promise<RedisServer> {
  const port = await freePort()
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-redis-'))
  const tls = options.tls === undefined ? [] : await tlsSettings(options.tls, port, directory)
  let child: ChildProcess | undefined

  const resume = async (): Promise<void> => {
    const started = spawn(
      'redis-server',
      ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', '']
        // At every write: with the default a busy disk holds back what was answered already, and a kill loses it.
        .concat(['--appendonly', options.appendOnly === true ? 'yes' : 'no', '--appendfsync', 'always'])
        .concat(tls.flatMap(([name, value]) => [`--${name}`, value]))
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
    url: `${options.tls === undefined ? 'redis' : 'rediss'}://127.0.0.1:${port}`,
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

/** The settings by which a server, or a Sentinel, speaks TLS on this port and to its like. */
export async function tlsSettings(
  { key, cert, ca }: RedisTls,
  port: number,
  directory: string,
): Promise<[name: string, value: string][]> {
  const files = Object.entries({ key, cert, ca }).map(async ([name, text]) => {
    const file = join(directory, `${name}.pem`)
    await writeFile(file, text)
    return file
  })
  const [keyFile = '', certFile = '', caFile = ''] = await Promise.all(files)
  return [
    ['port', '0'],
    ['tls-port', String(port)],
    ['tls-key-file', keyFile],
    ['tls-cert-file', certFile],
    ['tls-ca-cert-file', caFile],
    ['tls-auth-clients', 'no'],
    ['tls-replication', 'yes'],
  ]
}
