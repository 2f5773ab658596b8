import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

export interface Nginx {
  /** What it printed so far. */
  output(): string
  stop(): Promise<void>
}

/** A real nginx in a process and a folder of its own. `http` stands inside its `http { }`. */
export async function startNginx(http: string): Promise<Nginx> {
  const program = find()
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-nginx-'))
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  await mkdir(join(directory, 'temporary'))
  await writeFile(
    join(directory, 'nginx.conf'),
    // Started by root, the worker would be somebody who may not write into our folder.
    `${process.getuid?.() === 0 ? 'user root;' : ''}
     daemon off;
     worker_processes 1;
     pid ${directory}/nginx.pid;
     error_log stderr notice;
     events { worker_connections 128; }
     http {
       access_log off;
       ${temporary.map(name => `${name}_temp_path ${directory}/temporary/${name};`).join('\n')}
       ${http}
     }`,
  )
  let output = ''
  const child = spawn(program, ['-p', directory, '-c', join(directory, 'nginx.conf'), '-e', 'stderr'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  try {
    await new Promise<void>((resolve, reject) => {
      child.stderr.on('data', (chunk: Buffer) => {
        output += chunk.toString()
        if (output.includes('start worker process ')) resolve()
      })
      child.once('error', reject)
      child.once('exit', code => reject(new Error(`nginx ended with ${code}: ${output.slice(-1000)}`)))
    })
  } catch (error) {
    await rm(directory, { recursive: true, force: true })
    throw error
  }
  return {
    output: () => output,
    async stop() {
      await end(child)
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  // QUIT would wait for connections that a client keeps; TERM is the fast one and takes the worker along.
  child.kill('SIGTERM')
  await ended
}

/** Debian has it where only administrators look. */
function find(): string {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  const found = folders.map(folder => join(folder, 'nginx')).find(file => existsSync(file))
  if (found === undefined) {
    throw new Error('there is no nginx for the tests: put one on the path (on Debian `apt-get install nginx-light`)')
  }
  return found
}
