import { createServer } from 'node:net'
import { pino } from 'pino'
import { createSallyport } from '../src/app.ts'
import { parseConfig } from '../src/config/load.ts'
import { onLoopback, writeConfiguration } from './configuration.ts'
import { createExplainer } from './explain.ts'
import { freePort } from './free-port.ts'
import { CREDENTIALS } from './issuer/clients.ts'
import { type DemoIssuer, startIssuer } from './issuer/issuer.ts'
import { claimsOf, demoPeople } from './issuer/people.ts'
import { type EmulatedLooker, startEmulatedLooker } from './looker/emulated-looker.ts'
import { type SampleApp, startSampleApp } from './sample-app/app.ts'

interface DemoOptions {
  /** For tests: whatever ports are free, instead of the usual ones. */
  readonly anyPorts?: boolean
}

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
/** More than anybody looks at; the demo may run for days. */
const MAX_AUDIT_LINES = 2000

export async function startDemo(options: DemoOptions = {}): Promise<DemoParts> {
  const port = (usual: number): Promise<number> => (options.anyPorts === true ? freePort() : portOr(usual))
  const ports = {
    proxy: await port(8080),
    admin: await port(9090),
    issuer: await port(9000),
    looker: await port(9999),
    app: await port(3000),
  }
  const sallyportUrl = onLoopback(ports.proxy)
  const configuration = writeConfiguration(ports)
  const { config, secrets } = parseConfig(configuration, {
    LOOKER_CLIENT_SECRET: LOOKER_SECRET,
    OIDC_CLIENT_SECRET: CREDENTIALS.web.clientSecret,
  })
  const audit: string[] = []
  const explain = createExplainer(config)
  const [issuer, looker, app] = await Promise.all([
    startIssuer({
      port: ports.issuer,
      redirectUris: [`${sallyportUrl}/sallyport/callback`],
      postLogoutRedirectUris: [`${sallyportUrl}/sallyport/signed-out`],
    }),
    startEmulatedLooker({
      port: ports.looker,
      clientId: 'demo-client',
      clientSecret: LOOKER_SECRET,
      domainAllowlist: [sallyportUrl],
    }),
    startSampleApp({
      port: ports.app,
      surroundings: {
        lookerUrl: config.looker.url,
        issuerUrl: onLoopback(ports.issuer),
        people: demoPeople,
        explain(subject) {
          const person = demoPeople.find(({ id }) => id === subject)
          return person && explain({ sub: person.id, ...claimsOf(person) })
        },
        auditLines: () => audit,
      },
    }),
  ])
  const sallyport = await createSallyport({
    config,
    secrets,
    version: 'demo',
    log: pino({ level: 'warn' }, process.stderr),
    print(text) {
      audit.push(...text.toString().trimEnd().split('\n'))
      audit.splice(0, audit.length - MAX_AUDIT_LINES)
    },
  })
  const adminUrl = await sallyport.admin.listen({ host: '127.0.0.1', port: ports.admin })
  await sallyport.proxy.listen({ host: '127.0.0.1', port: ports.proxy })
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
