import { createServer } from 'node:net'
import { pino } from 'pino'
import { stringify } from 'yaml'
import { createSallyport } from '../src/app.ts'
import { parseConfig } from '../src/config/load.ts'
import { type DemoIssuer, startIssuer } from './issuer/issuer.ts'
import { type EmulatedLooker, startEmulatedLooker } from './looker/emulated-looker.ts'
import { type SampleApp, startSampleApp } from './sample-app/app.ts'

/** All that the demo runs, on this machine's loopback. */
export interface DemoParts {
  readonly issuer: DemoIssuer
  readonly looker: EmulatedLooker
  readonly app: SampleApp
  readonly sallyportUrl: string
  readonly adminUrl: string
  /** The sidecar's configuration as one would write it. */
  readonly configuration: string
  /** The audit lines so far. */
  readonly audit: readonly string[]
  close(): Promise<void>
}

const LOOKER_SECRET = 'demo-secret'

export async function startDemo(): Promise<DemoParts> {
  const [proxyPort, adminPort] = await Promise.all([portOr(8080), portOr(9090)])
  const sallyportUrl = `http://127.0.0.1:${proxyPort}`
  const [issuer, looker, app] = await Promise.all([
    portOr(9000).then(port => startIssuer({ port, redirectUris: [`${sallyportUrl}/sallyport/callback`] })),
    portOr(9999).then(port =>
      startEmulatedLooker({
        port,
        clientId: 'demo-client',
        clientSecret: LOOKER_SECRET,
        domainAllowlist: [sallyportUrl],
      }),
    ),
    portOr(3000).then(port => startSampleApp({ port })),
  ])
  const configuration = stringify({
    server: { publicUrl: sallyportUrl, listen: `127.0.0.1:${proxyPort}`, admin: `127.0.0.1:${adminPort}` },
    issuers: [{ name: 'demo', issuer: issuer.issuer, audiences: ['sallyport'] }],
    app: { url: app.url },
    looker: { url: looker.url, clientId: 'demo-client', clientSecret: { fromEnv: 'LOOKER_CLIENT_SECRET' } },
    grants: [
      {
        name: 'explorer',
        groups: ['analytics'],
        permissions: ['access_data', 'see_looks', 'see_user_dashboards', 'explore'],
        models: ['thelook'],
        userAttributes: { region: '{claim:region}' },
      },
      {
        name: 'viewer',
        groups: ['viewers'],
        permissions: ['access_data', 'see_looks', 'see_user_dashboards'],
        models: ['thelook'],
        userAttributes: { region: '{claim:region}' },
      },
    ],
  })
  const { config, secrets } = parseConfig(configuration, { LOOKER_CLIENT_SECRET: LOOKER_SECRET })
  const audit: string[] = []
  const sallyport = await createSallyport({
    config,
    secrets,
    version: 'demo',
    log: pino({ level: 'warn' }, process.stderr),
    print: text => audit.push(...text.toString().trimEnd().split('\n')),
  })
  const adminUrl = await sallyport.admin.listen({ host: '127.0.0.1', port: adminPort })
  await sallyport.proxy.listen({ host: '127.0.0.1', port: proxyPort })
  await sallyport.ready
  return {
    issuer,
    looker,
    app,
    sallyportUrl,
    adminUrl,
    configuration,
    audit,
    async close() {
      await sallyport.close()
      await Promise.all([issuer.close(), looker.close(), app.close()])
    },
  }
}

/** The port one would expect, or any free one where that is taken. */
async function portOr(wanted: number): Promise<number> {
  return new Promise(resolve => {
    const probe = createServer()
    probe.once('error', () => resolve(0))
    probe.listen(wanted, '127.0.0.1', () => probe.close(() => resolve(wanted)))
  }).then(async port => (port === 0 ? await freePort() : wanted))
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() =>
        address === null || typeof address === 'string' ? reject(new Error('no port')) : resolve(address.port),
      )
    })
  })
}
