/** A page of Looker in an iframe: shows content, does what the page around it asks, and tells it what happens. */

import { greetHost } from './host.js'
import { createSession, SessionLost } from './session.js'
import { createView } from './view.js'

const { release, embedDomain, cookieless } = document.querySelector('main').dataset
/** What an event is called, and how it says where it happened, by the kind of page. */
const NOUNS = { dashboards: 'dashboard', looks: 'look', explore: 'explore', preload: 'preload' }
/** Parameters that make the query of an explore. */
const QUERY_PARAMETERS = ['fields', 'sorts', 'limit']
/** All that are no filters, but for the token. */
const OWN_PARAMETERS = ['embed_domain', 'sdk', 'theme', 'allow_login_screen', ...QUERY_PARAMETERS]

const host = greetHost(embedDomain)
const view = createView(choose, run)
const session = createSession(host, cookieless !== undefined, {
  over() {
    running?.abort()
    view.showMessage('Your session has expired', 'Load the page around this one again to go on.')
  },
  interrupted: () => view.notify('The session is interrupted. It goes on as soon as new tokens have come.'),
  resumed() {
    view.notify('')
    if (shown.path !== '') remember('replace')
    const again = retry
    retry = undefined
    void again?.()
  },
})

/** `path` is below /embed; `content` absent for a page that cannot be shown. */
let shown = { path: '', parameters: new URLSearchParams(), filters: {}, content: undefined }
let running
let openings = 0
/** What was given up when the session was interrupted. */
let retry

const pick = (parameters, names) => [...parameters].filter(([name]) => names.includes(name))
const queryOf = entries => {
  const query = new URLSearchParams(entries).toString()
  return query === '' ? '' : `?${query}`
}

/** The page as others may know it: its filters in it, its token not. */
function urlOf({ path, parameters, filters, content }) {
  const chosen = Object.entries(filters).filter(([, value]) => value !== '')
  const named = chosen.map(([name, value]) => [content?.kind === 'dashboards' ? name : `f[${name}]`, value])
  return `/embed/${path}${queryOf([...named, ...pick(parameters, OWN_PARAMETERS)])}`
}
function placeOf(page) {
  const url = urlOf(page)
  return { url, absoluteUrl: location.origin + url }
}
function eventDetails() {
  const { kind, id, title, canEdit, tiles } = shown.content
  if (kind !== 'dashboards') return { [NOUNS[kind]]: { id, title, ...placeOf(shown) } }
  const elements = tiles.map(tile => [
    tile.id,
    { title: tile.title, title_hidden: false, vis_config: { type: tile.visualization } },
  ])
  const options = { elements: Object.fromEntries(elements), layouts: [] }
  return { dashboard: { id, title, canEdit, dashboard_filters: { ...shown.filters }, options, ...placeOf(shown) } }
}
const tell = (happening, details = {}) =>
  host.tell(`${NOUNS[shown.content.kind]}:${happening}`, { ...eventDetails(), ...details })

/** @param history `push`, `replace`, or nothing when the browser has moved there itself */
async function open(url, history) {
  const opening = (openings += 1)
  running?.abort()
  const { pathname, searchParams: parameters } = new URL(url, location.origin)
  const path = pathname.replace(/^\/embed\//, '')
  const page = { path, parameters, filters: {}, content: undefined }
  let failure
  try {
    page.content = await session.json(`content/${path}${queryOf(pick(parameters, QUERY_PARAMETERS))}`)
  } catch (error) {
    if (error instanceof SessionLost) {
      retry = () => open(url, history)
      return
    }
    failure = error
  }
  // Another page has been asked for since.
  if (opening !== openings) return
  for (const { name } of page.content?.filters ?? []) {
    page.filters[name] = parameters.get(page.content.kind === 'dashboards' ? name : `f[${name}]`) ?? ''
  }
  shown = page
  remember(history)
  const type = NOUNS[page.content?.kind] ?? 'error'
  void host.tell('page:changed', { page: { type, ...placeOf(page), lookerVersion: release } })
  if (page.content === undefined) return showFailure(failure)
  view.show(page.content, page.filters)
  if (page.content.kind === 'preload') return
  void tell(page.content.kind === 'dashboards' ? 'loaded' : 'ready')
  await run()
}

function showFailure({ cause, message }) {
  const [title, advice] = ['Oops, we can’t find that page', 'It may have moved, or you may not have access.']
  if (cause === 404) view.showMessage(title, advice)
  else view.showMessage('This page cannot be shown', message)
}
/** Keeps the address of the iframe true, with a token that opens it again. */
function remember(history) {
  if (history === undefined) return
  const url = new URL(placeOf(shown).absoluteUrl)
  const token = session.navigationToken()
  if (token !== undefined) url.searchParams.set('embed_navigation_token', token)
  window.history[`${history}State`](undefined, '', url)
}

async function runTile(tile, { path, filters, parameters }, signal) {
  const { id, title, listen } = tile
  const details = { tile: { id, title, listen } }
  const isDashboard = shown.content.kind === 'dashboards'
  if (isDashboard) void tell('tile:start', details)
  const query = queryOf([...pick(parameters, QUERY_PARAMETERS), ['filters', JSON.stringify(filters)]])
  let errors = []
  try {
    const rows = await session.json(`tiles/${id}/${path}${query}`, signal)
    signal.throwIfAborted()
    tile.rows = rows
    view.drawTile(id, tile.visualization, rows)
  } catch (error) {
    if (signal.aborted || error instanceof SessionLost) return undefined
    const message = error.cause === 404 ? 'You do not have access to the model of this tile' : error.message
    view.failTile(id, message)
    errors = [{ message, message_details: null, params: null, error_pos: null, level: 'error', fatal: true }]
  }
  const status = errors.length === 0 ? 'complete' : 'error'
  if (isDashboard) void tell('tile:complete', { ...details, status, truncated: false, errors })
  return { tileId: id, status, errors }
}

async function run() {
  const { content } = shown
  if (content === undefined) return
  running?.abort()
  const turn = (running = new AbortController())
  view.markFresh()
  void tell('run:start')
  for (const { id } of content.tiles) view.wait(id)
  const tileStatuses = await Promise.all(content.tiles.map(tile => runTile(tile, shown, turn.signal)))
  if (turn.signal.aborted) return
  running = undefined
  if (tileStatuses.includes(undefined)) {
    retry = run
    return
  }
  const status = tileStatuses.every(tile => tile.status === 'complete') ? 'complete' : 'error'
  void tell('run:complete', { status, tileStatuses })
}
function stop() {
  if (running === undefined) return
  running.abort()
  running = undefined
  void tell('run:complete', { status: 'stopped', tileStatuses: [] })
}

function setFilters(given) {
  const known = Object.keys(shown.filters).filter(name => Object.hasOwn(given, name))
  const changed = known.filter(name => shown.filters[name] !== String(given[name] ?? ''))
  if (changed.length === 0) return
  for (const name of changed) shown.filters[name] = String(given[name] ?? '')
  view.showFilters(shown.content, shown.filters)
  view.markStale()
  remember('replace')
  void tell(shown.content.kind === 'dashboards' ? 'filters:changed' : 'state:changed')
}
function choose(name, value) {
  setFilters({ [name]: value })
  void run()
}

function setOptions({ elements = {} }) {
  for (const tile of shown.content?.tiles ?? []) {
    const wanted = elements[tile.id]
    if (wanted === undefined) continue
    tile.title = wanted.title ?? tile.title
    tile.visualization = wanted.vis_config?.type ?? tile.visualization
    view.retitleTile(tile.id, tile.title, wanted.title_hidden === true)
    if (tile.rows !== undefined) view.drawTile(tile.id, tile.visualization, tile.rows)
  }
}

function edit() {
  if (shown.content?.canEdit !== true) return
  void tell('edit:start')
  view.notify('This dashboard is being edited. The emulated Looker saves nothing.')
  view.offer('Cancel', () => {
    view.notify('')
    void tell('edit:cancel')
  })
}

host.on('page:load', ({ url, pushHistory }) => void open(url, pushHistory ? 'push' : 'replace'))
// As older releases of Looker are asked for another dashboard.
host.on('dashboard:load', ({ id, pushHistory }) => {
  const query = queryOf(pick(shown.parameters, OWN_PARAMETERS))
  void open(`/embed/dashboards/${id}${query}`, pushHistory ? 'push' : 'replace')
})
for (const noun of ['dashboard', 'look']) {
  host.on(`${noun}:run`, () => void run())
  host.on(`${noun}:filters:update`, ({ filters }) => setFilters(filters))
}
host.on('dashboard:stop', stop)
host.on('dashboard:edit', edit)
host.on('dashboard:options:set', setOptions)

addEventListener('popstate', () => void open(location.href, undefined))
let told = 0
view.onResize(() => {
  const height = view.height()
  if (height === told) return
  told = height
  void host.tell('page:properties:changed', { height })
})
void open(location.href, 'replace')
