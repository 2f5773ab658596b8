import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import type { FrameLocator, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isRecord } from '../../demo/looker/body.ts'
import { type EmulatedLooker, startEmulatedLooker } from '../../demo/looker/emulated-looker.ts'
import { type ApiClient, loginAsAdmin } from '../demo/looker/api-client.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { setBrowser } from './chromium.ts'

/** The emulated Looker's side of the Embed SDK's protocol, with as little as possible around it. */

const SDK = readFileSync(new URL('../../node_modules/@looker/embed-sdk/dist/main.js', import.meta.url))
const HEARTBEAT = 5000

const { profile } = setBrowser()
let looker: EmulatedLooker
let host: Upstream
/** Bodies of the acquires to come, and references of the sessions there are, by person. */
const people = new Map<string, object>()
const references = new Map<string, string>()

/** The host: a page with the SDK on it, and what the SDK asks a back end for. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://host.invalid')
  const person = searchParams.get('person') ?? ''
  const json = (body: unknown) => response.setHeader('content-type', 'application/json').end(JSON.stringify(body))
  const call = async (method: string, path: string, body: object) => {
    const headers = { 'user-agent': request.headers['user-agent'] ?? '' }
    const admin: ApiClient = await loginAsAdmin(looker)
    return admin.request(method, `/embed/cookieless_session/${path}`, body, headers)
  }
  if (pathname === '/sdk.js') return void response.setHeader('content-type', 'text/javascript').end(SDK)
  if (pathname === '/acquire') {
    const answer = await call('POST', 'acquire', {
      external_user_id: person,
      embed_domain: host.url,
      ...people.get(person),
    })
    if (isRecord(answer.json)) references.set(person, String(answer.json['session_reference_token']))
    return void json(answer.json)
  }
  if (pathname === '/generate') {
    const given: unknown = JSON.parse(await text(request))
    const body = { session_reference_token: references.get(person), ...(isRecord(given) ? given : {}) }
    const answer = await call('PUT', 'generate_tokens', body)
    return void json(answer.status === 200 ? answer.json : { session_reference_token_ttl: 0 })
  }
  return void response.setHeader('content-type', 'text/html').end('<!doctype html><script src="/sdk.js"></script>')
}

beforeAll(async () => {
  host = await startUpstream((request, response) => void answer(request, response))
  looker = await startEmulatedLooker({ domainAllowlist: [host.url] })
})
afterAll(async () => {
  await looker.close()
  await host.close()
})

const VIEWER = {
  permissions: ['access_data', 'see_looks', 'see_user_dashboards', 'explore'],
  models: ['thelook'],
  session_length: 7200,
}
const HAPPENINGS = ['loaded', 'run:start', 'run:complete', 'tile:start', 'tile:complete', 'filters:changed'].map(
  happening => `dashboard:${happening}`,
)
const OTHER_EVENTS = [
  'page:changed',
  'session:status',
  'session:expired',
  'look:ready',
  'look:run:complete',
  'explore:ready',
]

interface Opened {
  readonly page: Page
  readonly frame: FrameLocator
  /** Everything the page in the iframe has told so far. */
  events(): Promise<{ name: string; [member: string]: unknown }[]>
  /** Runs in the page of the host, where `connection` is that of the SDK. */
  run(script: string): Promise<void>
}

/** A page with one iframe of the SDK's, connected and loaded. */
async function open(person: string, body: object = {}, what = `createDashboardWithId('1')`): Promise<Opened> {
  people.set(person, { ...VIEWER, ...body })
  const context = await profile({ ignoreHTTPSErrors: true })
  const page = await context.newPage()
  await page.clock.install()
  await page.goto(host.url)
  await page.evaluate(`(async () => {
    window.events = []
    window.sdk = LookerEmbedSDK.getEmbedSDK()
    sdk.initCookieless('${new URL(looker.url).host}', '/acquire?person=${person}', '/generate?person=${person}')
    const embed = sdk.${what}
    for (const name of ${JSON.stringify([...HAPPENINGS, ...OTHER_EVENTS])}) {
      embed.on(name, event => void events.push({ ...event, name }))
    }
    window.connection = await embed.appendTo(document.body).build().connect({ waitUntilLoaded: true })
  })()`)
  return {
    page,
    frame: page.frameLocator('iframe'),
    events: () => page.evaluate('events'),
    run: script => page.evaluate(`(async () => { ${script} })()`),
  }
}

const waitFor = async ({ events }: Opened, name: string, times = 1): Promise<void> => {
  await expect.poll(async () => (await events()).filter(event => event.name === name).length).toBe(times)
}
const regions = (frame: FrameLocator): Promise<string | null> =>
  frame.getByRole('region', { name: 'Sales by region' }).getByRole('img').getAttribute('aria-label')
const callsOf = (path: string): number => host.requests.filter(({ url }) => url?.startsWith(path) === true).length

test('a dashboard connects, says what it does, and draws what the person may see', async () => {
  const opened = await open('ana', { user_attributes: { region: 'EMEA' } })
  await waitFor(opened, 'dashboard:run:complete')
  const events = await opened.events()
  expect(events.filter(({ name }) => name !== 'session:status').map(({ name }) => name)).toEqual([
    'page:changed',
    'dashboard:loaded',
    'dashboard:run:start',
    ...Array.from({ length: 3 }, () => 'dashboard:tile:start'),
    ...Array.from({ length: 3 }, () => 'dashboard:tile:complete'),
    'dashboard:run:complete',
  ])
  const url = `/embed/dashboards/1?embed_domain=${encodeURIComponent(host.url)}&sdk=3`
  expect(events.find(({ name }) => name === 'page:changed')?.['page']).toEqual({
    type: 'dashboard',
    url,
    absoluteUrl: looker.secureUrl + url,
    lookerVersion: expect.stringMatching(/^26\./),
  })
  expect(events.at(-1)).toMatchObject({
    status: 'complete',
    dashboard: { id: '1', title: 'Business pulse', dashboard_filters: { Region: '', Category: '' } },
    tileStatuses: [{ tileId: '1', status: 'complete' }, {}, {}],
  })
  expect(await regions(opened.frame)).toMatch(/: EMEA [\d,.]+$/)
  const other = await open('vic', { user_attributes: { region: 'AMER' } })
  await waitFor(other, 'dashboard:run:complete')
  expect(await regions(other.frame)).toMatch(/: AMER [\d,.]+$/)
})

test('the host changes filters and runs, and hears of those a person changes', async () => {
  const opened = await open('fay')
  await waitFor(opened, 'dashboard:run:complete')
  expect(await regions(opened.frame)).toMatch(/: AMER .*, APAC .*, EMEA .*, LATAM/)
  await opened.run(`connection.asDashboardConnection().updateFilters({ Region: 'APAC,EMEA', Nonsense: 'x' })`)
  await waitFor(opened, 'dashboard:filters:changed')
  expect((await opened.events()).at(-1)).toMatchObject({
    dashboard: {
      dashboard_filters: { Region: 'APAC,EMEA', Category: '' },
      url: expect.stringContaining('Region=APAC'),
    },
  })
  // As at Looker, a filter that was changed from outside does nothing until the dashboard is run.
  await waitFor(opened, 'dashboard:run:complete')
  await opened.run('connection.asDashboardConnection().run()')
  await waitFor(opened, 'dashboard:run:complete', 2)
  expect(await regions(opened.frame)).toMatch(/: APAC .*, EMEA [\d,.]+$/)
  await opened.frame.getByRole('combobox', { name: 'Region' }).selectOption('LATAM')
  await waitFor(opened, 'dashboard:filters:changed', 2)
  await waitFor(opened, 'dashboard:run:complete', 3)
  expect(await regions(opened.frame)).toMatch(/: LATAM [\d,.]+$/)
})

test('another dashboard is loaded into the same iframe, with the filters it is given', async () => {
  const opened = await open('lou')
  await waitFor(opened, 'dashboard:run:complete')
  await opened.run(
    `await connection.loadDashboard({ id: '2', params: { Region: 'EMEA' }, options: { waitUntilLoaded: true } })`,
  )
  await waitFor(opened, 'dashboard:run:complete', 2)
  expect(await opened.frame.getByRole('heading', { level: 1 }).textContent()).toBe('Brand lookup')
  expect(await opened.frame.getByRole('combobox', { name: 'Region' }).inputValue()).toBe('EMEA')
  expect(await opened.page.evaluate('connection.getPageType()')).toBe('dashboards')
  await opened.run(`await connection.loadDashboard('3')`)
  await opened.frame.getByRole('heading', { name: 'Oops, we can’t find that page' }).waitFor()
  expect(callsOf('/acquire?person=lou')).toBe(1)
})

test('a page that was loaded ahead shows what it is given later', async () => {
  const opened = await open('pre', {}, 'preload()')
  await opened.run(`await connection.loadDashboard('1')`)
  await waitFor(opened, 'dashboard:run:complete')
  await waitFor(opened, 'page:changed', 2)
  expect(await regions(opened.frame)).toMatch(/EMEA/)
})

test('a run can be stopped, and says which tiles did not come', async () => {
  const opened = await open('ivy')
  await waitFor(opened, 'dashboard:run:complete')
  looker.faults.inject({ kind: 'hang', operation: 'embed_tile', times: 3 })
  await opened.run('connection.asDashboardConnection().run()')
  await waitFor(opened, 'dashboard:run:start', 2)
  await expect.poll(() => looker.faults.pending).toBe(0)
  await opened.run('connection.asDashboardConnection().stop()')
  await waitFor(opened, 'dashboard:run:complete', 2)
  expect((await opened.events()).at(-1)).toMatchObject({ status: 'stopped', tileStatuses: [] })
  looker.faults.inject({ kind: 'server-error', operation: 'embed_tile' })
  await opened.run('connection.asDashboardConnection().run()')
  await waitFor(opened, 'dashboard:run:complete', 3)
  const [failed] = await opened.frame.getByRole('alert').allTextContents()
  expect(failed).toBe('An error has occurred.')
  expect((await opened.events()).at(-1)?.['status']).toBe('error')
})

test('whoever may save dashboards can be put to editing, and tiles are drawn as the host says', async () => {
  const opened = await open('pia', { permissions: [...VIEWER.permissions, 'save_dashboards'] })
  await waitFor(opened, 'dashboard:run:complete')
  await opened.run('connection.asDashboardConnection().edit()')
  await expect.poll(() => opened.page.evaluate('connection.isEditing()')).toBe(true)
  await opened.frame.getByRole('button', { name: 'Cancel' }).click()
  await expect.poll(() => opened.page.evaluate('connection.isEditing()')).toBe(false)
  const options = { elements: { 2: { title: 'Regions', vis_config: { type: 'looker_grid' } } } }
  await opened.run(`connection.asDashboardConnection().setOptions(${JSON.stringify(options)})`)
  await opened.frame.getByRole('heading', { name: 'Regions' }).waitFor()
  await opened.frame.getByRole('row', { name: /EMEA/ }).waitFor()
  const viewer = await open('lee')
  await waitFor(viewer, 'dashboard:run:complete')
  await viewer.run('connection.asDashboardConnection().edit(); connection.asDashboardConnection().run()')
  await waitFor(viewer, 'dashboard:run:complete', 2)
  expect(await viewer.page.evaluate('connection.isEditing()')).toBe(false)
})

test('a look, and an explore in an iframe of its own, join the session', async () => {
  const opened = await open('max', {}, `createLookWithId('1')`)
  await waitFor(opened, 'look:run:complete')
  await opened.run(`connection.asLookConnection().updateFilters({ 'orders.region': 'EMEA' })
    connection.asLookConnection().run()`)
  await waitFor(opened, 'look:run:complete', 2)
  expect(await regions(opened.frame)).toMatch(/: EMEA [\d,.]+$/)
  await opened.run(`await sdk.createExploreWithUrl('/embed/explore/thelook/orders?fields=orders.brand,orders.count')
    .appendTo(document.body).build().connect({ waitUntilLoaded: true })`)
  const explore = opened.page.frameLocator('iframe').last()
  await explore.getByRole('row', { name: /Alder/ }).waitFor()
  expect(callsOf('/acquire?person=max')).toBe(1)
})

test('tokens are renewed in time, over more than three of their lives', async () => {
  const opened = await open('ren')
  await waitFor(opened, 'dashboard:run:complete')
  for (let life = 1; life <= 4; life += 1) {
    looker.clock.advance(490)
    await opened.page.clock.fastForward(490_000)
    await expect.poll(() => callsOf('/generate?person=ren')).toBe(life)
    await opened.run('connection.asDashboardConnection().run()')
    await waitFor(opened, 'dashboard:run:complete', life + 1)
  }
  const tiles = looker.calls.list.filter(({ userId }) => userId === looker.users.find('ren')?.id)
  expect(tiles.filter(({ status }) => status !== 200)).toEqual([])
  expect((await opened.events()).find(event => event['expired'] === true || event['interrupted'] === true)).toBe(
    undefined,
  )
})

test('a session that has run out is said to have expired', async () => {
  const opened = await open('eve', { session_length: 900 })
  await waitFor(opened, 'dashboard:run:complete')
  looker.clock.advance(900)
  await opened.page.clock.fastForward(900_000)
  await waitFor(opened, 'session:expired')
  await opened.frame.getByRole('heading', { name: 'Your session has expired' }).waitFor()
  expect((await opened.events()).findLast(({ name }) => name === 'session:status')).toMatchObject({
    session_ttl: 0,
    expired: true,
  })
})

test('a session that is ended at Looker is over at the next heartbeat', async () => {
  const opened = await open('sue')
  await waitFor(opened, 'dashboard:run:complete')
  looker.users.disable(looker.users.find('sue')?.id ?? '')
  await opened.page.clock.fastForward(HEARTBEAT)
  await waitFor(opened, 'session:expired')
  expect(await opened.page.evaluate('connection.hasSessionExpired()')).toBe(true)
})

test('tokens that do not come interrupt the page until they do', async () => {
  const opened = await open('tim')
  await waitFor(opened, 'dashboard:run:complete')
  // Behind the SDK's back, whose own failed renewal would be its last.
  await opened.run(`window.renew = sdk._cookielessSession.cookielessSessionReferenceTokenTtl
    sdk._cookielessSession.cookielessSessionReferenceTokenTtl = null`)
  looker.clock.advance(490)
  await opened.page.clock.fastForward(HEARTBEAT)
  await opened.frame.getByText('The session is interrupted').waitFor()
  await opened.run('sdk._cookielessSession.cookielessSessionReferenceTokenTtl = renew')
  await opened.page.clock.fastForward(HEARTBEAT)
  await expect.poll(() => opened.frame.getByText('The session is interrupted').count()).toBe(0)
  await opened.run('connection.asDashboardConnection().run()')
  await waitFor(opened, 'dashboard:run:complete', 2)
})
