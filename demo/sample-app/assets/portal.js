import { Looker40SDK } from '@looker/sdk'
import { startAddress } from './portal-address.js'
import { startCalls } from './portal-calls.js'
import { startFrames } from './portal-frames.js'
import { startLives } from './portal-lives.js'
import { startRows } from './portal-rows.js'
import { startSession } from './session.js'
import { startTabs } from './tabs.js'
import { startTrust } from './trust.js'

const portal = document.getElementById('portal')
const { prefix, user, api, frames: framesOrigin, permissions } = portal.dataset

const trust = startTrust({ origin: framesOrigin, api, onTrusted: () => frames.show(state) })
const lives = startLives()
startCalls({ prefix, api, onAnswer: lives.heed })

// Only now: the client is to be heard from its first call on.
const { connectLooker } = await import(`${prefix}/client.js`).catch(error => {
  document.getElementById('over').textContent = 'Sallyport cannot be reached. Load this page again.'
  throw error
})
const looker = connectLooker()
const session = startSession({ prefix, user })
looker.addEventListener('signInNeeded', session.end)

const titles = new Map(
  Array.from(portal.querySelectorAll('[data-dashboard]'), tab => [tab.dataset.dashboard, tab.textContent]),
)
const selects = Array.from(document.querySelectorAll('#filters select'))

const address = startAddress({ dashboards: [...titles.keys()], filters: selects.map(({ name }) => name) })
const tabs = startTabs({
  list: portal.querySelector('[role=tablist]'),
  onChosen: dashboard => go({ ...state, dashboard }),
})
const rows = startRows({
  sdk: new Looker40SDK(looker.session()),
  // Not known: then Looker says.
  mayExplore: permissions === '' || permissions.split(' ').includes('explore'),
  host: new URL(api).host,
})
const frames = startFrames({
  sdk: looker.embed(globalThis.LookerEmbedSDK.getEmbedSDK()),
  titleOf: id => titles.get(id),
  onFilters(dashboard, filters) {
    if (dashboard === state.dashboard) go({ dashboard, filters })
  },
  onAgain: apply,
})

let state = address.read()

function apply() {
  document.title = `${titles.get(state.dashboard)} · Sales portal · Sallyport demo`
  tabs.select(state.dashboard)
  for (const select of selects) {
    const value = state.filters[select.name]
    // Looker takes more than the choices here, such as `Coats,Shoes`.
    if (!Array.from(select.options).some(option => option.value === value)) select.add(new Option(value))
    select.value = value
  }
  void rows.show(state)
  void trust.check()
}

function go(next) {
  state = next
  address.write(state)
  apply()
}

document.getElementById('filters').addEventListener('change', () => {
  go({ ...state, filters: Object.fromEntries(selects.map(({ name, value }) => [name, value])) })
})
addEventListener('popstate', () => {
  state = address.read()
  apply()
})
looker.addEventListener('embedExpired', () => {
  frames.clear()
  void trust.check()
})
apply()
