/**
 * The page's address says which dashboard is open and with which filters, by the names that Looker has for them. No other
 * parameter counts: what is not a filter of ours must not get into the address of a frame.
 */
export function startAddress({ dashboards, filters }) {
  function read() {
    const said = new URLSearchParams(location.search)
    const dashboard = said.get('dashboard')
    return {
      dashboard: dashboards.includes(dashboard) ? dashboard : dashboards[0],
      filters: Object.fromEntries(filters.map(name => [name, said.get(name) ?? ''])),
    }
  }

  /** A new entry in the history, unless nothing has changed. */
  function write({ dashboard, filters }) {
    const set = Object.entries(filters).filter(([, value]) => value !== '')
    const search = `?${new URLSearchParams([['dashboard', dashboard], ...set])}`
    if (search !== location.search) history.pushState(null, '', location.pathname + search)
  }

  return { read, write }
}
