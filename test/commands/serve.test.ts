import { createServer } from 'node:net'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { stringify } from 'yaml'
import { temporaryFile, temporaryFolder } from '../config/file.ts'
import { freePort } from '../../demo/free-port.ts'
import { startUpstream } from '../support/upstream.ts'
import { SEAL_KEYS, startWorld, type World, type Written } from '../support/world.ts'
import { linesOf, runCommand, startCommand } from './process.ts'

const ENVIRONMENT = { LOOKER_SECRET: 'looker-secret', ...SEAL_KEYS }

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

async function configFile(
  sections: Written = {},
  drainSeconds = 0,
): Promise<{ file: string; listen: string; admin: string }> {
  const [listen, admin] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`]
  const server = { publicUrl: `http://${listen}`, listen, admin, drainSeconds }
  return { file: temporaryFile('sallyport.yaml', stringify(world.written({ server, ...sections }))), listen, admin }
}

async function occupy(address: string): Promise<void> {
  const server = createServer().listen(Number(address.split(':')[1]), '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
}

test.each(['SIGTERM', 'SIGINT'] as const)('serves until %s, and exits 0', async signal => {
  const { file, listen, admin } = await configFile()
  const running = startCommand(['serve', '--config', file], ENVIRONMENT)
  await running.said('"msg":"ready"')
  expect((await fetch(`http://${listen}/`)).status).toBe(401)
  expect((await fetch(`http://${admin}/readyz`)).status).toBe(200)
  running.process.kill(signal)
  const { code, stdout, stderr } = await running.ended
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toContain(`"signal":"${signal}"`)
})

test('an event stream is ended whole when the drain is over, and audited; a signal that comes again changes nothing', async () => {
  const upstream = await startUpstream((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: first\n\n')
  })
  onTestFinished(() => upstream.close())
  const app = { app: { url: upstream.url }, rules: [{ paths: ['/**'], access: 'public' }] }
  const { file, listen } = await configFile(app, 1)
  const running = startCommand(['serve', '--config', file], ENVIRONMENT)
  await running.said('"msg":"ready"')
  const stream = await fetch(`http://${listen}/events`)
  running.process.kill('SIGTERM')
  await running.said('"msg":"stopping"')
  running.process.kill('SIGTERM')
  expect(await stream.text()).toBe('data: first\n\n')
  const { code, stdout } = await running.ended
  expect(code).toBe(0)
  expect(stdout).toMatch(/"status_code":"200".*"operation":"GET \/events"/)
})

test('goes on serving for all of the drain, though nobody asks for a while; SIGINT ends the drain', async () => {
  const { file, listen, admin } = await configFile({}, 600)
  const running = startCommand(['serve', '--config', file], ENVIRONMENT)
  await running.said('"msg":"ready"')
  running.process.kill('SIGTERM')
  await running.said('"msg":"stopping"')
  await new Promise(resolve => setTimeout(resolve, 2000))
  expect((await fetch(`http://${admin}/readyz`)).status).toBe(503)
  expect((await fetch(`http://${listen}/`)).status).toBe(401)
  running.process.kill('SIGINT')
  expect((await running.ended).code).toBe(0)
})

test('SALLYPORT_CONFIG stands in for --config', async () => {
  const { file } = await configFile()
  const running = startCommand(['serve'], { ...ENVIRONMENT, SALLYPORT_CONFIG: file })
  await running.said('"msg":"listening"')
  running.process.kill('SIGTERM')
  expect((await running.ended).code).toBe(0)
})

test('warns at every start of what should not last', async () => {
  const { file } = await configFile()
  const running = startCommand(['serve', '--config', file], ENVIRONMENT)
  await running.said('"msg":"listening"')
  const warnings = linesOf(running.stdout())
    .map(line => JSON.parse(line) as Record<string, unknown>)
    .filter(({ level }) => level === 'warn')
  expect(warnings.map(({ msg }) => String(msg).split(':')[0])).toEqual(['store.redis', 'store.sealKeys'])
})

test.each(['listen', 'admin'] as const)('exits 1 where the port of server.%s is taken', async key => {
  const config = await configFile()
  await occupy(config[key])
  const { code, stderr } = await runCommand(['serve', '--config', config.file], ENVIRONMENT)
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: `sallyport: server.${key}: cannot listen on ${config[key]} (EADDRINUSE)\n`,
  })
})

test('refuses a configuration with exit 2 and one line a problem, and nothing has listened', async () => {
  const { file } = await configFile({
    looker: { url: 'http://looker.example.com', clientId: 'x', clientSecret: { fromEnv: 'NOT_SET' } },
    grnts: [],
  })
  const { code, stdout, stderr } = await runCommand(['serve', '--config', file], ENVIRONMENT)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(linesOf(stderr).map(line => line.split(': ')[0])).toEqual(['looker.url', 'grnts', 'looker.clientSecret'])
})

test('refuses what is not built yet, each with its path, before anything listens', async () => {
  const { file } = await configFile({
    grants: [{ name: 'a', permissions: ['p'], operations: ['@viewer'] }],
  })
  const { code, stdout, stderr } = await runCommand(['serve', '--config', file], ENVIRONMENT)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  const later = 'is not built in this version; remove it to start'
  expect(linesOf(stderr)).toEqual([`grants[0].operations: the gateway to the Looker API ${later}`])
})

test('refuses an audit file that cannot be opened, with its path', async () => {
  const { file } = await configFile({ audit: { file: temporaryFolder() } })
  const { code, stdout, stderr } = await runCommand(['serve', '--config', file], ENVIRONMENT)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^audit\.file: the file .* cannot be opened for appending \(EISDIR\); .*\n$/)
})

test('starts while its issuer and Looker are away, and says that it is not ready', async () => {
  const away = `http://127.0.0.1:${await freePort()}`
  const { file, admin } = await configFile({
    issuers: [{ name: 'corp', issuer: away, audiences: ['sallyport'] }],
    looker: { url: away, clientId: 'x', clientSecret: { fromEnv: 'LOOKER_SECRET' } },
  })
  const running = startCommand(['serve', '--config', file], ENVIRONMENT)
  await running.said('"msg":"listening"')
  const readyz = await fetch(`http://${admin}/readyz`)
  expect({ status: readyz.status, body: await readyz.json() }).toEqual({
    status: 503,
    body: { status: 'not ready', reasons: ['no issuer’s keys could be fetched yet'] },
  })
  expect((await fetch(`http://${admin}/livez`)).status).toBe(200)
  running.process.kill('SIGTERM')
  expect((await running.ended).code).toBe(0)
})
