/** What is measured: the least there could be, what else there is, and Sallyport; each a process that does nothing else. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { freePort } from '../demo/free-port.ts'
import { createBrowser } from '../demo/issuer/browser.ts'
import { CREDENTIALS } from '../demo/issuer/clients.ts'
import { startIssuer } from '../demo/issuer/issuer.ts'
import { choosePerson } from '../demo/issuer/sign-in.ts'
import { startEmulatedLooker } from '../demo/looker/emulated-looker.ts'
import { signForMany } from '../test/scale/crowd.ts'
import { startRedisServer } from '../test/support/redis-server.ts'
import type { Load } from './load.ts'
import { type Measured, startProcess } from './processes.ts'

/** Those of the image and of the npm script; for all alike. */
const FLAGS = ['--max-semi-space-size=8', '--memory-reducer-gc-count=0']
/** More than are ever at one replica within a minute. */
const BEARERS = 5000
/** What the others are compared with. */
export const BARE = 'bare Fastify + undici handler'
export const BARE_DOWNLOAD = 'bare, 1 MiB download'
export const HOT_BEARER = 'Sallyport, hot bearer'
const PAGE = '/looks/42?run=1'
const DOWNLOAD = '/mebibyte'

export interface Contestant {
  readonly process: Measured
  readonly load: Load
  /** Of the admin listener; Sallyport's alone. */
  readonly admin?: string
}

type Start = () => Promise<Contestant>

export interface Field {
  readonly contestants: ReadonlyMap<string, Start>
  readonly startSallyport: () => Promise<Measured>
  /** Ends all that was started. */
  close(): Promise<void>
}

const here = (path: string): string => new URL(path, import.meta.url).pathname
const url = (port: number): string => `http://127.0.0.1:${port}`

/** @param directory where configurations and audit files go. */
export async function openField(directory: string): Promise<Field> {
  const redis = await startRedisServer()
  const issuer = await startIssuer()
  const looker = await startEmulatedLooker({ clientId: 'bench', clientSecret: 'bench-secret' })
  const upstreamPort = await freePort()
  const upstreamUrl = url(upstreamPort)
  const processes: Measured[] = []
  const begin = async (...how: Parameters<typeof startProcess>): Promise<Measured> => {
    const process = await startProcess(...how)
    processes.push(process)
    return process
  }
  await begin(here('./servers/upstream.ts'), [], { PORT: String(upstreamPort) }, upstreamUrl)
  const { accessToken } = await issuer.signIn('ana')
  const authorization = `Bearer ${accessToken}`

  const server =
    (script: string, path: string, env: Record<string, string> = {}): Start =>
    async () => {
      const port = await freePort()
      const all = { PORT: String(port), UPSTREAM: upstreamUrl, ...env }
      const process = await begin(here(script), [], all, url(port), FLAGS)
      return { process, load: { url: `${url(port)}${path}`, headers: { authorization } } }
    }

  const start = async (): Promise<{ process: Measured; publicUrl: string; admin: string }> => {
    const [port, adminPort] = [await freePort(), await freePort()]
    const publicUrl = url(port)
    const file = join(directory, `${port}.yaml`)
    await writeFile(
      file,
      stringify({
        server: {
          publicUrl,
          listen: `127.0.0.1:${port}`,
          admin: `127.0.0.1:${adminPort}`,
          drainSeconds: 0,
          trustedProxies: ['127.0.0.1'],
        },
        issuers: [
          {
            name: 'bench',
            issuer: issuer.issuer,
            audiences: ['sallyport'],
            login: { clientId: CREDENTIALS.web.clientId, clientSecret: { fromEnv: 'WEB_SECRET' } },
          },
        ],
        app: { url: upstreamUrl },
        rules: [{ paths: ['/assets/**'], access: 'public' }, { paths: ['/**'] }],
        looker: { url: looker.url, clientId: 'bench', clientSecret: { fromEnv: 'LOOKER_SECRET' } },
        grants: [{ name: 'explorer', groups: ['analytics'], permissions: ['access_data'], models: ['thelook'] }],
        store: { redis: { url: redis.url }, sealKeys: [{ id: 'k1', key: { fromEnv: 'SEAL_KEY' } }] },
        audit: { file: join(directory, `${port}.jsonl`) },
      }),
    )
    const env = {
      LOOKER_SECRET: 'bench-secret',
      WEB_SECRET: CREDENTIALS.web.clientSecret,
      SEAL_KEY: Buffer.alloc(32, 7).toString('base64'),
    }
    const admin = url(adminPort)
    const args = ['serve', '--config', file]
    const process = await begin(here('../dist/main.js'), args, env, `${admin}/readyz`, FLAGS)
    return { process, publicUrl, admin }
  }

  const sallyport =
    (loadOf: (publicUrl: string) => Load | Promise<Load>): Start =>
    async () => {
      const { publicUrl, ...started } = await start()
      return { ...started, load: await loadOf(publicUrl) }
    }

  const signIn = async (publicUrl: string): Promise<{ cookie: string }> => {
    issuer.setWebClient({ redirectUris: [`${publicUrl}/sallyport/callback`] })
    const browser = createBrowser()
    const { status } = await choosePerson(browser, await browser.open(`${publicUrl}/sallyport/login`), 'ana')
    if (status !== 200) throw new Error(`signing in ended with ${status}`)
    return { cookie: browser.cookieHeader(publicUrl) }
  }

  const generate = async (publicUrl: string): Promise<Load> => {
    const headers = { ...(await signIn(publicUrl)), origin: publicUrl, 'user-agent': 'bench' }
    const acquired = await fetch(`${publicUrl}/sallyport/looker/embed/session`, { headers })
    if (!acquired.ok) throw new Error(`acquiring an embed session ended with ${acquired.status}`)
    const { api_token, navigation_token } = (await acquired.json()) as Record<string, string>
    return {
      url: `${publicUrl}/sallyport/looker/embed/tokens`,
      method: 'PUT',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ api_token, navigation_token }),
    }
  }

  const exchange = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: accessToken,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  }).toString()

  const contestants = new Map<string, Start>([
    [BARE, server('./servers/bare.ts', PAGE)],
    ['@fastify/http-proxy, no logs', server('./servers/http-proxy.ts', PAGE)],
    ['@fastify/http-proxy, its logs', server('./servers/http-proxy.ts', PAGE, { LOGS: 'yes' })],
    [HOT_BEARER, sallyport(publicUrl => ({ url: `${publicUrl}${PAGE}`, headers: { authorization } }))],
    [
      'Sallyport, hot session',
      sallyport(async publicUrl => ({ url: `${publicUrl}${PAGE}`, headers: await signIn(publicUrl) })),
    ],
    [
      `Sallyport, ${BEARERS} bearers in turn`,
      sallyport(async publicUrl => ({ url: `${publicUrl}${PAGE}`, bearers: await signForMany(issuer, BEARERS) })),
    ],
    [
      'Sallyport, /check',
      sallyport(publicUrl => ({
        url: `${publicUrl}/sallyport/check`,
        headers: { authorization, 'x-forwarded-method': 'GET', 'x-forwarded-uri': PAGE },
      })),
    ],
    [BARE_DOWNLOAD, server('./servers/bare.ts', DOWNLOAD)],
    [
      'Sallyport, 1 MiB download',
      sallyport(publicUrl => ({ url: `${publicUrl}${DOWNLOAD}`, headers: { authorization } })),
    ],
    [
      'Sallyport, warm exchange',
      sallyport(publicUrl => ({
        url: `${publicUrl}/sallyport/token`,
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: exchange,
      })),
    ],
    // It always asks Looker; its time there is not ours.
    ['Sallyport, warm generate', sallyport(generate)],
  ])

  return {
    contestants,
    startSallyport: async () => (await start()).process,
    async close() {
      await Promise.all(processes.map(process => process.stop()))
      await Promise.all([issuer.close(), looker.close(), redis.stop()])
    },
  }
}
