import { randomUUID } from 'node:crypto'
import { PassThrough } from 'node:stream'
import { inject } from 'vitest'
import { stringify } from 'yaml'
import { CREDENTIALS, type WebClientOptions } from '../../demo/issuer/clients.ts'
import { type DemoIssuer, type DemoIssuerOptions, startIssuer } from '../../demo/issuer/issuer.ts'
import {
  type EmulatedLooker,
  type EmulatedLookerOptions,
  startEmulatedLooker,
} from '../../demo/looker/emulated-looker.ts'
import { type SampleApp, startSampleApp } from '../../demo/sample-app/app.ts'
import { createSallyport, type Sallyport } from '../../src/app.ts'
import { parseConfig } from '../../src/config/load.ts'
import type { Clock } from '../../src/core/clock.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { freePort } from '../../demo/free-port.ts'

/** Two seal keys for tests; real ones come from a secret. */
export const SEAL_KEYS = {
  SEAL_KEY_1: Buffer.alloc(32, 1).toString('base64'),
  SEAL_KEY_2: Buffer.alloc(32, 2).toString('base64'),
}

export const EXCHANGE_GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'

export const GRANTS = [
  {
    name: 'explorer',
    groups: ['analytics'],
    permissions: ['access_data', 'see_looks', 'see_user_dashboards', 'explore'],
    models: ['thelook'],
  },
  {
    name: 'viewer',
    groups: ['viewers'],
    permissions: ['access_data', 'see_looks', 'see_user_dashboards'],
    models: ['thelook'],
  },
]

/** A configuration as it would be written, as an object. */
export type Written = Record<string, unknown>

export interface Sidecar {
  readonly url: string
  readonly adminUrl: string
  /** The audit lines printed so far, parsed. */
  readonly audit: Record<string, unknown>[]
  /** The audit lines printed so far, as they were printed. */
  readonly auditText: () => string
  /** The lines of the log so far. */
  readonly logText: () => string
  readonly sallyport: Sallyport
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** `POST /token` with a subject token; more parameters on top. */
  exchange(subjectToken: string, parameters?: Record<string, string>): Promise<Response>
  metrics(): Promise<string>
  close(): Promise<void>
}

/** A sidecar in this process, on ports of its own. Waits for the issuers' keys unless told not to. */
export async function startSidecar(
  written: Written,
  options: { env?: Record<string, string>; clock?: Clock; awaitReady?: boolean; port?: number } = {},
): Promise<Sidecar> {
  const { config, secrets } = parseConfig(stringify(written), {
    LOOKER_SECRET: 'looker-secret',
    WEB_SECRET: CREDENTIALS.web.clientSecret,
    ...SEAL_KEYS,
    ...options.env,
  })
  let auditText = ''
  let logText = ''
  const stream = new PassThrough()
  stream.on('data', (chunk: Buffer) => (logText += chunk.toString()))
  const sallyport = await createSallyport({
    config,
    secrets,
    version: '0.0.0-test',
    log: createLog('debug', stream),
    print: text => (auditText += text.toString()),
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  })
  const adminUrl = await sallyport.admin.listen({ host: '127.0.0.1', port: 0 })
  // As `serve` listens: in some tests thousands come at once, and the system resets what finds no place to wait.
  const url = await sallyport.proxy.listen({ host: '127.0.0.1', port: options.port ?? 0, backlog: 4096 })
  if (options.awaitReady !== false) await sallyport.ready
  const prefix = config.server.prefix
  let closed: Promise<void> | undefined
  return {
    url,
    adminUrl,
    get audit() {
      return auditText
        .split('\n')
        .filter(line => line !== '')
        .map(line => JSON.parse(line) as Record<string, unknown>)
    },
    auditText: () => auditText,
    logText: () => logText,
    sallyport,
    fetch: (path, init) => fetch(`${url}${path}`, { redirect: 'manual', ...init }),
    exchange: (subjectToken, parameters) =>
      fetch(`${url}${prefix}/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: EXCHANGE_GRANT,
          subject_token: subjectToken,
          subject_token_type: ACCESS_TOKEN_TYPE,
          ...parameters,
        }),
      }),
    metrics: async () => (await fetch(`${adminUrl}/metrics`)).text(),
    close: () => (closed ??= sallyport.close()),
  }
}

export interface World {
  readonly issuer: DemoIssuer
  readonly looker: EmulatedLooker
  readonly app: SampleApp
  /** The configuration that fits this world; sections given replace whole sections. */
  written(sections?: Written): Written
  sidecar(sections?: Written, options?: Parameters<typeof startSidecar>[1]): Promise<Sidecar>
  /** One that people sign in at with their browser; its `url` is the `publicUrl`, and the issuer has been told of it. */
  loginSidecar(sections?: Written, options?: Parameters<typeof startSidecar>[1]): Promise<Sidecar>
  /** Ends everything that was started through this world. */
  close(): Promise<void>
}

/** An issuer, an emulated Looker and an app, and sidecars in front of them as asked for. */
export async function startWorld(
  options: { issuer?: DemoIssuerOptions; looker?: EmulatedLookerOptions } = {},
): Promise<World> {
  const [issuer, looker, app] = await Promise.all([
    startIssuer(options.issuer ?? {}),
    startEmulatedLooker({ clientId: 'looker-client', clientSecret: 'looker-secret', ...options.looker }),
    startSampleApp(),
  ])
  const sidecars: Sidecar[] = []
  const written = (sections: Written = {}): Written => ({
    server: { publicUrl: 'http://127.0.0.1:8080', listen: '127.0.0.1:8080', admin: '127.0.0.1:9090', drainSeconds: 1 },
    issuers: [{ name: 'corp', issuer: issuer.issuer, audiences: ['sallyport'] }],
    app: { url: app.url },
    looker: { url: looker.url, clientId: 'looker-client', clientSecret: { fromEnv: 'LOOKER_SECRET' } },
    grants: GRANTS,
    ...sections,
  })
  const sidecar: World['sidecar'] = async (sections, sidecarOptions) => {
    const started = await startSidecar(written(sections), sidecarOptions)
    sidecars.push(started)
    return started
  }
  return {
    issuer,
    looker,
    app,
    written,
    sidecar,
    async loginSidecar(sections, sidecarOptions) {
      const port = await freePort()
      const publicUrl = `http://127.0.0.1:${port}`
      issuer.setWebClient(webClientOf(publicUrl))
      const server = { publicUrl, listen: `127.0.0.1:${port}`, admin: '127.0.0.1:0', drainSeconds: 1 }
      const issuers = [{ name: 'corp', issuer: issuer.issuer, audiences: ['sallyport'], login: LOGIN }]
      return sidecar({ server, issuers, ...sections }, { ...sidecarOptions, port })
    },
    async close() {
      await Promise.all(sidecars.map(sidecar => sidecar.close()))
      await Promise.all([issuer.close(), looker.close(), app.close()])
    },
  }
}

/** The `login` of an issuer, as the demo's issuer knows the client. */
export const LOGIN = { clientId: CREDENTIALS.web.clientId, clientSecret: { fromEnv: 'WEB_SECRET' } }

/** What an issuer has to know of the client at this `publicUrl`. */
export function webClientOf(publicUrl: string): WebClientOptions {
  return {
    redirectUris: [`${publicUrl}/sallyport/callback`],
    postLogoutRedirectUris: [`${publicUrl}/sallyport/signed-out`],
    backchannelLogoutUri: `${publicUrl}/sallyport/backchannel-logout`,
  }
}

/**
 * A `store` section on the tests' Redis, with a key prefix of its own so that tests do not meet, and with more patience
 * than the default: they share their machine.
 */
export function redisStore(url = redisUrl(), keyPrefix = `t${randomUUID().slice(0, 8)}:`): Written {
  const redis = { url, keyPrefix, commandTimeoutMilliseconds: 1000 }
  return { redis, sealKeys: [{ id: 'k1', key: { fromEnv: 'SEAL_KEY_1' } }] }
}

export function redisUrl(): string {
  const missing = inject('redisMissing')
  if (missing !== '') throw new Error(missing)
  return inject('redisUrl')
}

/** The answer's body, as JSON. */
export async function json(response: Response | Promise<Response>): Promise<Record<string, unknown>> {
  return (await (await response).json()) as Record<string, unknown>
}
