/** `npm run bench`: what a request costs, beside the least it could cost, in one run. Figures are kept in bench/README.md. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { cpus, tmpdir } from 'node:os'
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
import { type Measured, startProcess } from './processes.ts'

const autocannon = createRequire(import.meta.url)('autocannon') as typeof import('autocannon')

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5)
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 6)
/** Until the compiler has nothing more to do; a second measurement straight after a short one is a third cheaper. */
const WARM_UP_SECONDS = 10
const CONNECTIONS = 32
/** A load that a replica is to carry without anybody noticing it. */
const CALM_RATE = 1000
const CALM_SECONDS = 10
/** Those of the image and of the npm script; for all alike. */
const FLAGS = ['--max-semi-space-size=8', '--memory-reducer-gc-count=0']
/** More than are ever at one replica within a minute. */
const BEARERS = 5000

interface Contestant {
  readonly name: string
  readonly process: Measured
  readonly request: import('autocannon').Options
  readonly results: { microseconds: number; rate: number; p99: number }[]
}

const directory = await mkdtemp(join(tmpdir(), 'sallyport-bench-'))
const redis = await startRedisServer()
const issuer = await startIssuer()
const looker = await startEmulatedLooker({ clientId: 'bench', clientSecret: 'bench-secret' })
const here = (path: string): string => new URL(path, import.meta.url).pathname
const [upstreamPort, barePort, plainPort, loggedPort, proxyPort, adminPort] = await Promise.all(
  Array.from({ length: 6 }, freePort),
)
const url = (port: number | undefined): string => `http://127.0.0.1:${port}`
const UPSTREAM = url(upstreamPort)

const configFile = join(directory, 'sallyport.yaml')
await writeFile(
  configFile,
  stringify({
    server: {
      publicUrl: url(proxyPort),
      listen: `127.0.0.1:${proxyPort}`,
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
    app: { url: UPSTREAM },
    rules: [{ paths: ['/assets/**'], access: 'public' }, { paths: ['/**'] }],
    looker: { url: looker.url, clientId: 'bench', clientSecret: { fromEnv: 'LOOKER_SECRET' } },
    grants: [{ name: 'explorer', groups: ['analytics'], permissions: ['access_data'], models: ['thelook'] }],
    store: { redis: { url: redis.url }, sealKeys: [{ id: 'k1', key: { fromEnv: 'SEAL_KEY' } }] },
    audit: { file: join(directory, 'audit.jsonl') },
  }),
)
const env = {
  LOOKER_SECRET: 'bench-secret',
  WEB_SECRET: CREDENTIALS.web.clientSecret,
  SEAL_KEY: Buffer.alloc(32, 7).toString('base64'),
}
const startSallyport = (): Promise<Measured> =>
  startProcess(here('../dist/main.js'), ['serve', '--config', configFile], env, `${url(adminPort)}/readyz`, FLAGS)

// Start-up first, while the machine is quiet.
const startups: number[] = []
for (let round = 0; round < ROUNDS; round++) {
  const from = performance.now()
  const started = await startSallyport()
  startups.push(performance.now() - from)
  await started.stop()
}

const upstream = await startProcess(here('./servers/upstream.ts'), [], { PORT: String(upstreamPort) }, UPSTREAM)
const bare = await startProcess(
  here('./servers/bare.ts'),
  [],
  { PORT: String(barePort), UPSTREAM },
  url(barePort),
  FLAGS,
)
const plain = await startProcess(
  here('./servers/http-proxy.ts'),
  [],
  { PORT: String(plainPort), UPSTREAM },
  url(plainPort),
  FLAGS,
)
const logged = await startProcess(
  here('./servers/http-proxy.ts'),
  [],
  { PORT: String(loggedPort), UPSTREAM, LOGS: 'yes' },
  url(loggedPort),
  FLAGS,
)
const sallyport = await startSallyport()
const idle = sallyport.rssMegabytes()

const { accessToken } = await issuer.signIn('ana')
const authorization = `Bearer ${accessToken}`
const exchange = new URLSearchParams({
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
  subject_token: accessToken,
  subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
}).toString()
const request = (
  port: number | undefined,
  headers: Record<string, string> = { authorization },
): Contestant['request'] => ({
  url: `${url(port)}/looks/42?run=1`,
  headers,
})
const download = (port: number | undefined): Contestant['request'] => ({
  url: `${url(port)}/mebibyte`,
  headers: { authorization },
})

issuer.setWebClient({ redirectUris: [`${url(proxyPort)}/sallyport/callback`] })
const browser = createBrowser()
const signedIn = await choosePerson(browser, await browser.open(`${url(proxyPort)}/sallyport/login`), 'ana')
if (signedIn.status !== 200) throw new Error(`signing in ended with ${signedIn.status}`)
const cookie = browser.cookieHeader(url(proxyPort))
const page = { cookie, origin: url(proxyPort), 'user-agent': 'bench' }
const acquired = await fetch(`${url(proxyPort)}/sallyport/looker/embed/session`, { headers: page })
if (!acquired.ok) throw new Error(`acquiring an embed session ended with ${acquired.status}`)
const { api_token, navigation_token } = (await acquired.json()) as Record<string, string>
const bearers = await signForMany(issuer, BEARERS)
const contestants: Contestant[] = [
  { name: 'bare Fastify + undici handler', process: bare, request: request(barePort), results: [] },
  { name: '@fastify/http-proxy, no logs', process: plain, request: request(plainPort), results: [] },
  { name: '@fastify/http-proxy, its logs', process: logged, request: request(loggedPort), results: [] },
  { name: 'Sallyport, hot bearer', process: sallyport, request: request(proxyPort), results: [] },
  { name: 'Sallyport, hot session', process: sallyport, request: request(proxyPort, { cookie }), results: [] },
  {
    name: `Sallyport, ${BEARERS} bearers in turn`,
    process: sallyport,
    request: {
      ...request(proxyPort, {}),
      requests: bearers.map(token => ({ headers: { authorization: `Bearer ${token}` } })),
    },
    results: [],
  },
  {
    name: 'Sallyport, /check',
    process: sallyport,
    request: {
      url: `${url(proxyPort)}/sallyport/check`,
      headers: { authorization, 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/looks/42?run=1' },
    },
    results: [],
  },
  { name: 'bare, 1 MiB download', process: bare, request: download(barePort), results: [] },
  { name: 'Sallyport, 1 MiB download', process: sallyport, request: download(proxyPort), results: [] },
  {
    name: 'Sallyport, warm exchange',
    process: sallyport,
    request: {
      url: `${url(proxyPort)}/sallyport/token`,
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: exchange,
    },
    results: [],
  },
  {
    // It always asks Looker; its time there is not ours.
    name: 'Sallyport, warm generate',
    process: sallyport,
    request: {
      url: `${url(proxyPort)}/sallyport/looker/embed/tokens`,
      method: 'PUT',
      headers: { ...page, 'content-type': 'application/json' },
      body: JSON.stringify({ api_token, navigation_token }),
    },
    results: [],
  },
]

const load = async (
  { request }: Pick<Contestant, 'request'>,
  seconds: number,
): Promise<import('autocannon').Result> => {
  const result = await autocannon({ ...request, connections: CONNECTIONS, duration: seconds })
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${result.non2xx} answers were not 2xx, ${result.errors} requests failed`)
  return result
}
for (const contestant of contestants) await load(contestant, WARM_UP_SECONDS)
// Round by round, so that whatever else the machine does meets all alike.
for (let round = 0; round < ROUNDS; round++) {
  for (const contestant of contestants) {
    const before = contestant.process.cpuMicroseconds()
    const result = await load(contestant, SECONDS)
    const microseconds = (contestant.process.cpuMicroseconds() - before) / result.requests.total
    contestant.results.push({ microseconds, rate: result.requests.average, p99: result.latency.p99 })
  }
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
/** The least of the rounds: whatever else the machine does only adds to it. */
const cost = ({ results }: Contestant): number => Math.min(...results.map(({ microseconds }) => microseconds))
const [least, ,] = contestants.map(cost)
console.log(
  `Node ${process.version}, ${cpus()[0]?.model}, ${ROUNDS} rounds of ${SECONDS} s, ${CONNECTIONS} connections, Redis, audit file and metrics on\n`,
)
console.log('| contestant | CPU µs a request | to bare | requests/s | p99 ms |\n| --- | --- | --- | --- | --- |')
for (const contestant of contestants) {
  const { results, name } = contestant
  const ratio = (cost(contestant) / (least ?? Number.NaN)).toFixed(2)
  console.log(
    `| ${name} | ${cost(contestant).toFixed(1)} | ${ratio} | ${Math.round(median(results.map(({ rate }) => rate)))} | ${median(results.map(({ p99 }) => p99))} |`,
  )
}
/** Requests so far that had no more than this many seconds added to the app's own time, by the bounds of the metric's buckets. */
const added = async (): Promise<Map<number, number>> => {
  const page = await (await fetch(`${url(adminPort)}/metrics`)).text()
  const buckets = page.matchAll(/^sallyport_overhead_seconds_bucket\{le="([^"]+)"\} (\d+)/gm)
  return new Map([...buckets].map(([, bound, count]) => [Number(bound?.replace('+Inf', 'Infinity')), Number(count)]))
}
const before = await added()
await load({ request: { ...request(proxyPort), overallRate: CALM_RATE } }, CALM_SECONDS)
const counts = [...(await added())].map(([bound, count]) => ({ bound, count: count - (before.get(bound) ?? 0) }))
const calm = counts.at(-1)?.count ?? 0
const p99 = counts.find(({ count }) => count >= calm * 0.99)?.bound ?? Number.NaN
console.log(`\nadded time at ${CALM_RATE} requests a second: 99 of 100 below ${p99 * 1000} ms (of ${calm})`)

console.log(
  `\nstart-up to ready: ${Math.round(median(startups))} ms; RSS idle ${Math.round(idle)} MB, after the load ${Math.round(sallyport.rssMegabytes())} MB`,
)

await Promise.all([upstream, bare, plain, logged, sallyport].map(measured => measured.stop()))
await Promise.all([issuer.close(), looker.close(), redis.stop()])
await rm(directory, { recursive: true, force: true })
