import type { TestProject } from 'vitest/node'
import { installMissing, onPath } from './debian.ts'
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
  installMissing({ nginx: 'nginx-light' })
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
  installMissing({ 'redis-server': 'redis-server' })
  if (onPath('redis-server')) return startRedisServer()
  const { GenericContainer } = await import('testcontainers')
  const container = await new GenericContainer('redis:8-alpine').withExposedPorts(6379).start()
  return {
    url: `redis://${container.getHost()}:${container.getMappedPort(6379)}`,
    stop: async () => void (await container.stop()),
  }
}
