/** `npm run bench`: what a request costs, beside the least it could cost, in one run. Figures are kept in bench/README.md. */
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Options, Result } from 'autocannon'
import { BARE, BARE_DOWNLOAD, type Contestant, HOT_BEARER, openField } from './contestants.ts'

const autocannon = createRequire(import.meta.url)('autocannon') as (options: Options) => Promise<Result>

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 12)
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 1)
/** Parts of names, between commas: for whoever is after one figure. */
const ONLY = (process.env['BENCH_ONLY'] ?? '').split(',')
/** Until the compiler has nothing more to do; a second measurement straight after a short one is a third cheaper. */
const WARM_UP_SECONDS = 10
const CONNECTIONS = 32
/** A load that a replica is to carry without anybody noticing it. */
const CALM_RATE = 1000
const CALM_SECONDS = 10

interface Slice {
  readonly microseconds: number
  readonly rate: number
  readonly p99: number
}
interface Measurement extends Contestant {
  readonly slices: (Slice & { readonly ratio: number })[]
}
/** The bare handler under the same load as others, before and after each of them. */
interface Base extends Contestant {
  readonly slices: Slice[]
}

const directory = await mkdtemp(join(tmpdir(), 'sallyport-bench-'))
const field = await openField(directory)

// Start-up first, while the machine is quiet.
const startups: number[] = []
for (let round = 0; round < ROUNDS; round++) {
  const from = performance.now()
  const started = await field.startSallyport()
  startups.push(performance.now() - from)
  await started.stop()
}

const startOf = async (name: string): Promise<Contestant> => {
  const start = field.contestants.get(name)
  if (start === undefined) throw new Error(`there is no ${name}`)
  return start()
}
const bases = new Map<string, Base>()
const measurements = new Map<string, Measurement>()
for (const name of field.contestants.keys()) {
  const isBase = name === BARE || name === BARE_DOWNLOAD
  if (isBase) bases.set(name, { ...(await startOf(name)), slices: [] })
  else if (ONLY.some(part => name.includes(part))) measurements.set(name, { ...(await startOf(name)), slices: [] })
}
const baseNameOf = (name: string): string => (name.includes('download') ? BARE_DOWNLOAD : BARE)
const bearer = measurements.get(HOT_BEARER)
const idle = bearer?.process.rssMegabytes() ?? Number.NaN

const load = async (request: Options, seconds: number): Promise<Result> => {
  const result = await autocannon({ ...request, connections: CONNECTIONS, duration: seconds })
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${String(request.url)}: ${result.non2xx} answers were not 2xx, ${result.errors} requests failed`)
  return result
}
const measure = async ({ process, request }: Contestant): Promise<Slice> => {
  const before = process.cpuMicroseconds()
  const result = await load(request, SECONDS)
  const microseconds = (process.cpuMicroseconds() - before) / result.requests.total
  return { microseconds, rate: result.requests.average, p99: result.latency.p99 }
}

const all = new Map<string, Contestant>([...bases, ...measurements])
for (const { request } of all.values()) await load(request, WARM_UP_SECONDS)
// The host gives more and less of itself by the second. So each is compared with what the bare handler took just before and after it.
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, contestant] of measurements) {
    const base = bases.get(baseNameOf(name))
    if (base === undefined) throw new Error(`nothing to compare ${name} with`)
    const before = await measure(base)
    const slice = await measure(contestant)
    const after = await measure(base)
    base.slices.push(before, after)
    contestant.slices.push({ ...slice, ratio: (2 * slice.microseconds) / (before.microseconds + after.microseconds) })
  }
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
const row = (name: string, slices: readonly Slice[], ratios: readonly number[]): string =>
  [
    name,
    median(slices.map(({ microseconds }) => microseconds)).toFixed(0),
    Math.min(...slices.map(({ microseconds }) => microseconds)).toFixed(0),
    median(ratios).toFixed(2),
    Math.round(median(slices.map(({ rate }) => rate))),
    median(slices.map(({ p99 }) => p99)),
  ].join(' | ')
console.log(
  `Node ${process.version}, ${cpus()[0]?.model}, ${ROUNDS} rounds of ${SECONDS} s, ${CONNECTIONS} connections, Redis, audit file and metrics on\n`,
)
console.log(
  '| contestant | CPU µs a request | least | to bare | requests/s | p99 ms |\n| --- | --- | --- | --- | --- | --- |',
)
for (const [name, { slices }] of bases) if (slices.length > 0) console.log(`| ${row(name, slices, [1])} |`)
for (const [name, { slices }] of measurements) {
  console.log(
    `| ${row(
      name,
      slices,
      slices.map(({ ratio }) => ratio),
    )} |`,
  )
}

if (bearer?.admin !== undefined) await printAddedTime(bearer.admin, bearer.request)
console.log(
  `\nstart-up to ready: ${Math.round(median(startups))} ms; RSS idle ${Math.round(idle)} MB, after the load ${Math.round(bearer?.process.rssMegabytes() ?? Number.NaN)} MB`,
)

await Promise.all([...all.values()].map(({ process }) => process.stop()))
await field.close()
await rm(directory, { recursive: true, force: true })

/** What Sallyport adds to the app's own time at a calm pace, by its own metric. */
async function printAddedTime(admin: string, request: Options): Promise<void> {
  const before = await addedTimes(admin)
  await load({ ...request, overallRate: CALM_RATE }, CALM_SECONDS)
  const after = [...(await addedTimes(admin))]
  const counts = after.map(([bound, count]) => ({ bound, count: count - (before.get(bound) ?? 0) }))
  const calm = counts.at(-1)?.count ?? 0
  const p99 = counts.find(({ count }) => count >= calm * 0.99)?.bound ?? Number.NaN
  console.log(`\nadded time at ${CALM_RATE} requests a second: 99 of 100 below ${p99 * 1000} ms (of ${calm})`)
}

/** Requests so far that had no more than this many seconds added, by the bounds of the metric's buckets. */
async function addedTimes(admin: string): Promise<Map<number, number>> {
  const page = await (await fetch(`${admin}/metrics`)).text()
  const buckets = page.matchAll(/^sallyport_overhead_seconds_bucket\{le="([^"]+)"\} (\d+)/gm)
  return new Map([...buckets].map(([, bound, count]) => [Number(bound?.replace('+Inf', 'Infinity')), Number(count)]))
}
