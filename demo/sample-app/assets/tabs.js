const STEPS = { ArrowLeft: -1, ArrowRight: 1 }

/**
 * Tabs, as the ARIA Authoring Practices have them. The arrows move the focus only: opening one is a call to Looker and an
 * entry in the history, so it takes Enter, Space or a click.
 */
export function startTabs({ list, onChosen }) {
  const tabs = Array.from(list.querySelectorAll('[role=tab]'))

  function select(chosen) {
    for (const tab of tabs) {
      tab.ariaSelected = String(tab === chosen)
      tab.tabIndex = tab === chosen ? 0 : -1
      document.getElementById(tab.getAttribute('aria-controls')).hidden = tab !== chosen
    }
  }
  function focus(tab) {
    for (const other of tabs) other.tabIndex = other === tab ? 0 : -1
    tab.focus()
  }

  list.addEventListener('click', event => {
    const tab = event.target.closest('[role=tab]')
    if (tab !== null) onChosen(tab.dataset.dashboard)
  })
  list.addEventListener('keydown', event => {
    const at = tabs.indexOf(document.activeElement)
    const to = { Home: 0, End: tabs.length - 1 }[event.key] ?? at + (STEPS[event.key] ?? Number.NaN)
    if (at < 0 || Number.isNaN(to) || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    focus(tabs[(to + tabs.length) % tabs.length])
  })
  // Who goes on without opening finds the tab that is open when they come back.
  list.addEventListener('focusout', event => {
    if (list.contains(event.relatedTarget)) return
    for (const tab of tabs) tab.tabIndex = tab.ariaSelected === 'true' ? 0 : -1
  })

  return { select: id => select(tabs.find(tab => tab.dataset.dashboard === id)) }
}
