/** `npm run bench`: what a request costs, beside the least it could cost, in one run. Figures are kept in bench/README.md. */
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { BARE, BARE_DOWNLOAD, type Contestant, type Field, HOT_BEARER, openField } from './contestants.ts'
import { installMissing } from '../test/support/debian.ts'
import { applyLoad, type Load } from './load.ts'

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 24)
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 1)
/** Parts of names, between commas: for whoever is after one figure. */
const ONLY = (process.env['BENCH_ONLY'] ?? '').split(',')
/** Until the compiler has nothing more to do; a second measurement straight after a short one is a third cheaper. */
const WARM_UP_SECONDS = 10
/** For what was warm once and has rested. */
const WARM_AGAIN_SECONDS = 3
/** A load that a replica is to carry without anybody noticing it. */
const CALM_RATE = 1000
const CALM_SECONDS = 10
const STARTS = 5

/** What one contestant did in one stretch. */
interface Stretch {
  /** Of CPU time, for a request. */
  readonly microseconds: number
  /** To the bare handler's, before and after. */
  readonly ratio: number
  readonly rate: number
  readonly p99: number
}
interface Measurement extends Contestant {
  readonly stretches: Stretch[]
}

installMissing({ wrk: 'wrk', 'redis-server': 'redis-server' })
const directory = await mkdtemp(join(tmpdir(), 'sallyport-bench-'))
const field = await openField(directory)
try {
  await run(field)
} finally {
  await field.close()
  await rm(directory, { recursive: true, force: true })
}

async function run({ contestants, startSallyport }: Field): Promise<void> {
  // Start-up first, while the machine is quiet.
  const startups: number[] = []
  for (let start = 0; start < STARTS; start++) {
    const from = performance.now()
    const started = await startSallyport()
    startups.push(performance.now() - from)
    await started.stop()
  }
  const measurements = new Map<string, Measurement>()
  for (const [name, start] of contestants) {
    const isWanted = name === BARE || name === BARE_DOWNLOAD || ONLY.some(part => name.includes(part))
    if (isWanted) measurements.set(name, { ...(await start()), stretches: [] })
  }
  const bearer = measurements.get(HOT_BEARER)
  const idle = bearer?.process.rssMegabytes()

  for (const name of measurements.keys()) await compare(measurements, name)
  printTable(measurements)
  if (bearer?.admin !== undefined) await printAddedTime(bearer.admin, bearer.load)
  const after = bearer?.process.rssMegabytes()
  console.log(`\nstart-up to ready: ${Math.round(median(startups))} ms`)
  if (idle !== undefined) console.log(`RSS: ${Math.round(idle)} MB idle, ${Math.round(after ?? 0)} MB after the load`)
}

async function measure({ process, load }: Contestant): Promise<Omit<Stretch, 'ratio'>> {
  const before = process.cpuMicroseconds()
  const { requests, perSecond, p99Milliseconds } = await applyLoad(directory, load, SECONDS)
  return { microseconds: (process.cpuMicroseconds() - before) / requests, rate: perSecond, p99: p99Milliseconds }
}

/**
 * The host gives more and less of itself by the second. So each stretch stands between two of the bare handler, and is compared
 * with these. The others rest meanwhile: what has rested for seconds is not hot any more, and costs more in its first second.
 */
async function compare(measurements: ReadonlyMap<string, Measurement>, name: string): Promise<void> {
  const baseName = name.includes('download') ? BARE_DOWNLOAD : BARE
  const [base, contestant] = [measurements.get(baseName), measurements.get(name)]
  if (base === undefined || contestant === undefined || base === contestant) return
  await applyLoad(directory, base.load, base.stretches.length === 0 ? WARM_UP_SECONDS : WARM_AGAIN_SECONDS)
  await applyLoad(directory, contestant.load, WARM_UP_SECONDS)
  let before = await measure(base)
  for (let round = 0; round < ROUNDS; round++) {
    const own = await measure(contestant)
    const after = await measure(base)
    contestant.stretches.push({ ...own, ratio: (2 * own.microseconds) / (before.microseconds + after.microseconds) })
    base.stretches.push({ ...after, ratio: 1 })
    before = after
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

function printTable(measurements: ReadonlyMap<string, Measurement>): void {
  const stretches = `${ROUNDS} stretches of ${SECONDS} s each`
  console.log(
    `Node ${process.version}, ${cpus()[0]?.model}, ${stretches}; Redis, audit file and metrics on. Medians.\n`,
  )
  console.log('| contestant | CPU µs a request (least) | to bare | requests/s | p99 ms |')
  console.log('| --- | --- | --- | --- | --- |')
  for (const [name, { stretches: all }] of measurements) {
    if (all.length === 0) continue
    const costs = all.map(({ microseconds }) => microseconds)
    const cost = `${median(costs).toFixed(0)} (${Math.min(...costs).toFixed(0)})`
    const ratio = median(all.map(one => one.ratio)).toFixed(2)
    const rate = Math.round(median(all.map(one => one.rate)))
    console.log(`| ${name} | ${cost} | ${ratio} | ${rate} | ${median(all.map(({ p99 }) => p99)).toFixed(1)} |`)
  }
}

/** What Sallyport adds to the app's own time at a calm pace, by its own metric. */
async function printAddedTime(admin: string, load: Load): Promise<void> {
  const before = await addedTimes(admin)
  await applyLoad(directory, load, CALM_SECONDS, CALM_RATE)
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
