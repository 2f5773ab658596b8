import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { TestProject } from 'vitest/node'
import { type RedisServer, startRedisServer } from './redis-server.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    redisUrl: string
    redisMissing: string
  }
}

const HOW = 'set SALLYPORT_TEST_REDIS_URL, put redis-server on the path, or run Docker'

/**
 * The Redis of the tests, in order: the one that SALLYPORT_TEST_REDIS_URL names, a redis-server on the path (its own
 * port and process, ended after), a container. A fresh Debian machine gets redis-server first.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const named = process.env['SALLYPORT_TEST_REDIS_URL']
  let stop: () => Promise<void> = async () => {}
  let url = named ?? ''
  let missing = ''
  if (named === undefined) {
    try {
      const redis = await start()
      ;({ url } = redis)
      stop = redis.stop
    } catch (error) {
      missing = `there is no Redis for the tests: ${HOW} (${error instanceof Error ? error.message : String(error)})`
    }
  }
  project.provide('redisUrl', url)
  project.provide('redisMissing', missing)
  return stop
}

async function start(): Promise<Pick<RedisServer, 'url' | 'stop'>> {
  if (!onPath('redis-server') && existsSync('/etc/debian_version') && process.getuid?.() === 0) installOnDebian()
  if (onPath('redis-server')) return startRedisServer()
  const { GenericContainer } = await import('testcontainers')
  const container = await new GenericContainer('redis:8-alpine').withExposedPorts(6379).start()
  return {
    url: `redis://${container.getHost()}:${container.getMappedPort(6379)}`,
    stop: async () => void (await container.stop()),
  }
}

function onPath(command: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${command}`]).status === 0
}

function installOnDebian(): void {
  process.stderr.write('redis-server is not here: installing it with apt-get\n')
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  execFileSync('apt-get', ['update', '-qq'], { stdio: 'ignore', env })
  execFileSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'redis-server'], { stdio: 'ignore', env })
}
