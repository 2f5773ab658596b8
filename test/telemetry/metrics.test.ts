import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { expectProblem } from '../support/problem.ts'
import { rawRequest, sendRaw } from '../support/raw-http.ts'
import { redisStore, type Sidecar, startWorld, type World } from '../support/world.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

/** Section 8 of the contract. */
const METRICS: Readonly<Record<string, readonly string[]>> = {
  http_requests_total: ['route', 'method', 'code'],
  http_request_duration_seconds_count: ['route', 'code_class'],
  overhead_seconds_count: [],
  auth_total: ['method', 'result', 'reason'],
  policy_decisions_total: ['decision', 'rule'],
  token_exchange_total: ['result', 'reason'],
  token_cache_total: ['tier', 'result'],
  token_remaining_seconds_count: [],
  looker_requests_total: ['operation', 'code'],
  looker_request_duration_seconds_count: ['operation'],
  upstream_errors_total: ['upstream', 'reason'],
  store_command_duration_seconds_count: ['command'],
  jwks_last_success_timestamp_seconds: ['issuer'],
  audit_events_total: ['result'],
  sessions_total: ['event'],
  build_info: ['version'],
}

let world: World
let sidecar: Sidecar
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.sidecar({ store: redisStore(), rules: [{ paths: ['/**'], access: 'public' }] })
  const ana = await world.issuer.sign({ sub: 'ana' })
  await sidecar.exchange(ana)
  await sidecar.exchange('not-a-token')
  await sidecar.fetch('/headers', { headers: { authorization: `Bearer ${ana}` } })
  await sidecar.fetch('/sallyport/session')
})
afterAll(() => world.close())

const labelsOf = (page: string, metric: string): string[][] =>
  [...page.matchAll(new RegExp(`^sallyport_${metric}(?:\\{([^}]*)\\})? `, 'gm'))].map(([, labels = '']) =>
    [...labels.matchAll(/(\w+)="/g)].map(([, name = '']) => name),
  )
const valuesOf = (page: string, label: string): Set<string> =>
  new Set([...page.matchAll(new RegExp(`[{,]${label}="([^"]*)"`, 'g'))].map(([, value = '']) => value))

test.for(Object.entries(METRICS))('sallyport_%s is there with the labels %j', async ([metric, labels]) => {
  await vi.waitFor(async () => {
    const found = labelsOf(await sidecar.metrics(), metric)
    expect(found.length).toBeGreaterThan(0)
    for (const names of found) expect(names.sort()).toEqual([...labels].sort())
  })
})

test('Node’s own metrics are there', async () => {
  expect(await sidecar.metrics()).toMatch(/^process_cpu_seconds_total \d/m)
  expect(await sidecar.metrics()).toMatch(/^nodejs_eventloop_lag_seconds \d/m)
})

const hasPromtool = spawnSync('promtool', ['--version']).status === 0
test('promtool accepts the page', async ({ skip }) => {
  if (!hasPromtool) skip('promtool is not on the path')
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: await sidecar.metrics(),
    encoding: 'utf8',
  })
  expect({ status, said: `${stdout}${stderr}` }).toEqual({ status: 0, said: '' })
})

test('whoever accepts OpenMetrics gets it, to its end', async () => {
  const accept = 'application/openmetrics-text; version=1.0.0'
  const response = await fetch(`${sidecar.adminUrl}/metrics`, { headers: { accept } })
  expect(response.headers.get('content-type')).toMatch(/^application\/openmetrics-text/)
  const page = await response.text()
  expect(page).toMatch(/# EOF\n$/)
  expect(page).toMatch(/^sallyport_http_requests_total\{/m)
})

test('whoever does not gets text, with the same names, whoever asked before', async () => {
  const accept = 'application/openmetrics-text'
  const ask = (headers: Record<string, string>): Promise<Response> => fetch(`${sidecar.adminUrl}/metrics`, { headers })
  const [, plain] = await Promise.all([ask({ accept }), ask({}), ask({ accept })])
  for (const response of [plain, await ask({})]) {
    expect(response.headers.get('content-type')).toMatch(/^text\/plain/)
    const page = await response.text()
    expect(page).toMatch(/^# TYPE sallyport_http_requests_total counter\nsallyport_http_requests_total\{/m)
    expect(page).not.toContain('# EOF')
  }
})

describe('labels are bounded', () => {
  test('under methods and paths that somebody makes up', async () => {
    const canary = 'canary-in-a-label'
    for (const method of ['BREW', 'TRACE', 'PROPFIND', 'QUERY', 'M-SEARCH']) {
      await sendRaw(sidecar.url, rawRequest(`${method} /${canary}`, ['Host: a']))
    }
    for (let n = 0; n < 30; n++) {
      const init = {
        headers: {
          authorization: `Bearer ${canary}${n}`,
          host: canary,
          origin: canary,
          'x-request-id': `${canary}-${n}`,
        },
      }
      await sidecar.fetch(`/${canary}/${n}?${canary}`, init)
      await sidecar.fetch(`/sallyport/${canary}/${n}`, init)
      await sidecar.fetch(`/a//${canary}/${n}`, init)
      await sidecar.exchange(`${canary}.${n}.x`, { scope: canary, audience: canary })
    }
    const page = await sidecar.metrics()
    expect(page).not.toContain(canary)
    expect(
      [...valuesOf(page, 'route')].filter(
        route => !['app', 'token', 'looker_token', 'session', 'other'].includes(route),
      ),
    ).toEqual([])
    expect([...valuesOf(page, 'method')].join(' ')).not.toMatch(/BREW|TRACE|PROPFIND|QUERY|SEARCH/)
    expect(valuesOf(page, 'method')).toContain('other')
    expect([...valuesOf(page, 'rule')].sort()).toEqual(['default', 'endpoint', 'none', 'rules[0]'])
  })

  test('of a person nothing is in them', async () => {
    expect(await sidecar.metrics()).not.toMatch(/\bana\b|example\.com|Alvarez|analytics/)
  })
})

test('the admin listener answers what it does not have with a problem document', async () => {
  const response = await fetch(`${sidecar.adminUrl}/sallyport/session`)
  await expectProblem(response, 404, 'not-found')
})

test.for([
  ['a path with a bad escape', '/%zz', {}],
  ['a content type that is none', '/metrics', { method: 'POST', headers: { 'content-type': 'nonsense' } }],
  ['a body that is not what it says', '/metrics', { method: 'POST', headers: JSON_TYPE, body: '{' }],
] as const)('the admin listener answers %s with a problem document', async ([, path, init]) => {
  await expectProblem(await fetch(`${sidecar.adminUrl}${path}`, init), 400, 'bad-request')
})
