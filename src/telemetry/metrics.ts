import { Counter, collectDefaultMetrics, Gauge, Histogram, type OpenMetricsContentType, Registry } from 'prom-client'
import type { AuthReason } from '../core/failure.ts'
import { createHotHistogram, createTallies } from './hot-metrics.ts'

/** Looker queries are slow: up to two minutes. */
const REQUEST_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120]
const OVERHEAD_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5]
const STORE_BUCKETS = [0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25]
const REMAINING_BUCKETS = [1, 30, 60, 300, 600, 1200, 1800, 2400, 3000, 3600]

/** Status codes as labels, made once. */
const STATUS_TEXT = Array.from({ length: 600 }, (_, code) => String(code))

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** An endpoint of ours, or the app; `http` says which there are. */
export type Route = string
type AuthMethod = 'jwt' | 'introspection' | 'session' | 'none' | 'bearer'
type SessionEvent = 'started' | 'ended' | 'expired' | 'refreshed' | 'refresh_failed'

/**
 * Every metric there is. Labels are from closed sets, never a person, a path, a token or an id. What runs for every
 * request keeps the child of its labels, so that they are hashed once and not each time.
 */
export interface Metrics {
  request(route: Route, method: string, status: number, seconds: number): void
  overhead(seconds: number): void
  auth(method: AuthMethod, result: 'ok' | 'refused' | 'error', reason: AuthReason): void
  decision(decision: 'allow' | 'deny', rule: string): void
  exchange(result: 'ok' | 'refused' | 'error', reason: string): void
  cache(tier: 'memory' | 'redis', result: 'hit' | 'miss' | 'stale'): void
  remaining(seconds: number): void
  looker(operation: string, code: string, seconds: number): void
  upstreamError(upstream: 'app' | 'looker' | 'issuer', reason: string): void
  store(command: string, seconds: number): void
  jwksFetched(issuer: string, seconds: number): void
  session(event: SessionEvent): void
  audit(result: 'written' | 'failed' | 'dropped', count: number): void
  /** The page of `/metrics`, in OpenMetrics where the caller accepts it. */
  render(openMetrics: boolean): Promise<{ type: string; body: string }>
}

export function createMetrics(options: {
  version: string
  issuers: readonly string[]
  rules: readonly string[]
}): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  // Sums of what is beside them, and gauges under the name of a counter, which promtool does not accept.
  for (const what of ['resources', 'handles', 'requests']) registry.removeSingleMetric(`nodejs_active_${what}_total`)
  const counter = (name: string, help: string, labelNames: string[] = []): Counter =>
    new Counter({ name: `sallyport_${name}`, help, labelNames, registers })
  const histogram = (name: string, help: string, buckets: number[], labelNames: string[] = []): Histogram =>
    new Histogram({ name: `sallyport_${name}`, help, buckets, labelNames, registers })
  const gauge = (name: string, help: string, labelNames: string[] = []): Gauge =>
    new Gauge({ name: `sallyport_${name}`, help, labelNames, registers })

  const requests = counter('http_requests_total', 'Requests answered.', ['route', 'method', 'code'])
  const durations = createHotHistogram(registry, {
    name: 'sallyport_http_request_duration_seconds',
    help: 'Time to the end of the answer.',
    buckets: REQUEST_BUCKETS,
  })
  const overhead = createHotHistogram(registry, {
    name: 'sallyport_overhead_seconds',
    help: 'Time to the end of the answer less the time of the upstream.',
    buckets: OVERHEAD_BUCKETS,
  }).series({})
  const auth = counter('auth_total', 'Credentials judged.', ['method', 'result', 'reason'])
  const decisions = counter('policy_decisions_total', 'Decisions of the rules.', ['decision', 'rule'])
  const exchanges = counter('token_exchange_total', 'Token exchanges.', ['result', 'reason'])
  const cache = counter('token_cache_total', 'Looks for a Looker token.', ['tier', 'result'])
  const remaining = histogram(
    'token_remaining_seconds',
    'What a Looker token had left when it was handed out.',
    REMAINING_BUCKETS,
  )
  const lookerRequests = counter('looker_requests_total', 'Calls to Looker.', ['operation', 'code'])
  const lookerDurations = histogram('looker_request_duration_seconds', 'Time of calls to Looker.', REQUEST_BUCKETS, [
    'operation',
  ])
  const upstreamErrors = counter('upstream_errors_total', 'Calls that got no answer.', ['upstream', 'reason'])
  const store = histogram('store_command_duration_seconds', 'Time of Redis commands.', STORE_BUCKETS, ['command'])
  const jwks = gauge('jwks_last_success_timestamp_seconds', 'When an issuer’s keys were last fetched.', ['issuer'])
  const sessions = counter('sessions_total', 'What became of browser sessions.', ['event'])
  const audited = counter('audit_events_total', 'Audit events.', ['result'])
  gauge('build_info', 'The running version.', ['version']).set({ version: options.version }, 1)

  // A series that appears with its first failure has no rate for it: start from zero.
  for (const rule of ['default', 'none', ...options.rules]) {
    for (const decision of ['allow', 'deny']) decisions.inc({ decision, rule }, 0)
  }
  for (const result of ['written', 'failed', 'dropped']) audited.inc({ result }, 0)
  for (const event of ['started', 'ended', 'expired', 'refreshed', 'refresh_failed']) sessions.inc({ event }, 0)
  for (const result of ['hit', 'miss', 'stale']) {
    for (const tier of ['memory', 'redis']) cache.inc({ tier, result }, 0)
  }
  for (const issuer of options.issuers) jwks.set({ issuer }, 0)
  exchanges.inc({ result: 'ok', reason: 'ok' }, 0)
  for (const reason of ['timeout', 'unreachable']) {
    for (const upstream of ['app', 'looker', 'issuer']) upstreamErrors.inc({ upstream, reason }, 0)
  }
  for (const reason of ['reset', 'bad-answer']) upstreamErrors.inc({ upstream: 'app', reason }, 0)

  // By route and status, and there by method.
  const tallies = createTallies()
  const durationOf = remembered((route, codeClass) => durations.series({ route, code_class: codeClass }))
  const requestChildren = remembered((route, code) => ({
    observe: durationOf(route, `${code[0]}xx`),
    count: new Map<string, () => void>(),
  }))
  const countAuth = remembered((method, outcome) => {
    const [result = '', reason = ''] = outcome.split(' ')
    return tallies.of(auth, { method, result, reason })
  })
  const countDecision = remembered((decision, rule) => tallies.of(decisions, { decision, rule }))
  const countCache = remembered((tier, result) => tallies.of(cache, { tier, result }))

  // prom-client renames counters when it writes OpenMetrics, and for good. Here it renames what only stands for them.
  const openMetrics = new Registry<OpenMetricsContentType>()
  openMetrics.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  for (const metric of registry.getMetricsAsArray()) openMetrics.registerMetric(Object.create(metric) as Gauge)

  return {
    request(route, method, status, seconds) {
      const code = STATUS_TEXT[status] ?? String(status)
      const { observe, count } = requestChildren(route, code)
      observe(seconds)
      const known = METHODS.has(method) ? method : 'other'
      let one = count.get(known)
      if (one === undefined) count.set(known, (one = tallies.of(requests, { route, method: known, code })))
      one()
    },
    overhead,
    auth: (method, result, reason) =>
      reason === 'ok' ? countAuth(method, 'ok ok')() : countAuth(method, `${result} ${reason}`)(),
    decision: (decision, rule) => countDecision(decision, rule)(),
    exchange: (result, reason) => exchanges.inc({ result, reason }),
    cache: (tier, result) => countCache(tier, result)(),
    remaining: seconds => remaining.observe(seconds),
    looker(operation, code, seconds) {
      lookerRequests.inc({ operation, code })
      lookerDurations.observe({ operation }, seconds)
    },
    upstreamError: (upstream, reason) => upstreamErrors.inc({ upstream, reason }),
    store: (command, seconds) => store.observe({ command }, seconds),
    jwksFetched: (issuer, seconds) => jwks.set({ issuer }, seconds),
    session: event => sessions.inc({ event }),
    audit: (result, count) => audited.inc({ result }, count),
    async render(asOpenMetrics) {
      tallies.flush()
      const page = asOpenMetrics ? openMetrics : registry
      return { type: page.contentType, body: await page.metrics() }
    },
  }
}

/** Keeps what `make` gives for each pair of words. */
function remembered<T>(make: (first: string, second: string) => T): (first: string, second: string) => T {
  const known = new Map<string, Map<string, T>>()
  return (first, second) => {
    let row = known.get(first)
    if (row === undefined) known.set(first, (row = new Map()))
    let value = row.get(second)
    if (value === undefined) row.set(second, (value = make(first, second)))
    return value
  }
}
