import { tableOf } from './result-table.js'
import { inWords } from './words.js'

/** The rows of one tile of the dashboard that is open, asked for with `@looker/sdk`. */
export function startRows({ sdk, mayExplore, host }) {
  const at = id => document.getElementById(id)
  const [choice, place, said] = [at('tile'), at('rows-answer'), at('rows-said')]
  const dashboards = new Map()
  let canAsk = mayExplore
  let shown
  let asking = new AbortController()

  const say = (words, isRefusal = false) => {
    said.classList.toggle('refused', isRefusal)
    said.textContent = words
  }

  /** Who may explore asks with the filters; who may not, what is saved in Looker, as it is. */
  async function ask({ query }, fieldFilters, options) {
    const { model, view, fields, sorts, limit, filters, id } = query
    const set = Object.entries(fieldFilters).filter(([, value]) => value !== '')
    if (canAsk && set.length > 0) {
      const body = { model, view, fields, sorts, limit, filters: { ...filters, ...Object.fromEntries(set) } }
      const answer = await sdk.run_inline_query({ result_format: 'json_detail', body }, options)
      // What Looker says to who may not.
      if (answer.ok || answer.error.message !== 'Not found') return answer
      canAsk = false
    }
    return sdk.run_query({ query_id: id, result_format: 'json_detail' }, options)
  }

  async function show({ dashboard: id, filters }) {
    asking.abort()
    asking = new AbortController()
    const options = { signal: asking.signal }
    shown = { dashboard: id, filters }
    if (!dashboards.has(id)) {
      const answer = await sdk.dashboard(id, '', options)
      if (!answer.ok) throw answer.error
      dashboards.set(id, answer.value)
    }
    const { dashboard_elements: tiles, dashboard_filters: known } = dashboards.get(id)
    offer(id, tiles)
    const tile = tiles.find(tile => tile.id === choice.value)
    const fieldOf = name => known.find(filter => filter.name === name)?.dimension
    const fieldFilters = Object.fromEntries(
      Object.entries(filters).flatMap(([name, value]) => (fieldOf(name) ? [[fieldOf(name), value]] : [])),
    )
    const startedAt = performance.now()
    const answer = await ask(tile, fieldFilters, options)
    if (!answer.ok) throw answer.error
    const took = Math.max(1, Math.round(performance.now() - startedAt))
    place.replaceChildren(tableOf(tile.title, answer.value))
    const count = answer.value.data.length
    const isUnfiltered = !canAsk && Object.values(fieldFilters).some(value => value !== '')
    say(
      `${count} ${count === 1 ? 'row' : 'rows'} from ${host} in ${took} ms.${
        isUnfiltered ? ' As saved in Looker: to filter here needs the permission “explore”, which your grant leaves out.' : ''
      }`,
    )
  }

  function offer(id, tiles) {
    if (choice.dataset.dashboard === id) return
    choice.dataset.dashboard = id
    choice.replaceChildren(...tiles.map(tile => new Option(tile.title, tile.id)))
    choice.selectedIndex = tiles.length - 1
    choice.disabled = false
  }

  async function tell(state) {
    try {
      await show(state)
    } catch (error) {
      // What was asked for last is what is shown.
      if (error.name === 'AbortError') return
      place.replaceChildren()
      say(inWords(error), true)
    }
  }

  choice.addEventListener('change', () => void tell(shown))
  return { show: tell }
}
