/** What is on the page: title, filters and tiles of one dashboard, look or explore. */

import { draw, element } from './charts.js'

const byId = id => document.getElementById(id)
const [title, description, notice, form, board] = ['title', 'description', 'notice', 'filters', 'tiles'].map(byId)

/** @param choose called with a filter's name and value when the person has chosen */
export function createView(choose, run) {
  let tiles = new Map()

  function select({ name, title, values }, value) {
    const all = [...new Set([...values, ...(value === '' ? [] : [value])])]
    const options = all.map(entry => new Option(entry, entry, false, entry === value))
    const field = element('select', { name, 'aria-label': title }, new Option('is any value', '', false, value === ''), ...options)
    field.addEventListener('change', () => choose(name, field.value))
    return element('label', {}, `${title} `, field)
  }
  function tileOf({ id, title }) {
    const content = element('div', { class: 'content' })
    const heading = element('h2', {}, title)
    tiles.set(id, { content, heading })
    return element('section', { 'aria-label': title, 'data-tile': id }, heading, content)
  }
  function notify(text) {
    notice.textContent = text
    notice.hidden = text === ''
  }

  form.addEventListener('submit', event => {
    event.preventDefault()
    run()
  })

  return {
    notify,
    /** Something to do about what the notice says. */
    offer(label, act) {
      const button = element('button', { type: 'button' }, label)
      button.addEventListener('click', act)
      notice.append(' ', button)
    },
    show(content, filters) {
      document.title = content.title
      title.textContent = content.title
      description.textContent = content.description
      tiles = new Map()
      board.replaceChildren(...content.tiles.map(tileOf))
      board.dataset.kind = content.kind
      this.showFilters(content, filters)
    },
    showFilters(content, filters) {
      const fields = content.filters.map(filter => select(filter, filters[filter.name] ?? ''))
      form.replaceChildren(...fields, element('button', {}, 'Update'))
      form.hidden = fields.length === 0
      form.classList.remove('stale')
    },
    /** The filters are other ones than the tiles were run with. */
    markStale: () => form.classList.add('stale'),
    markFresh: () => form.classList.remove('stale'),
    /** In place of everything: a page there is none of, or a session that is over. */
    showMessage(heading, text) {
      document.title = heading
      title.textContent = heading
      description.textContent = text
      form.hidden = true
      notify('')
      tiles = new Map()
      board.replaceChildren()
    },
    wait: id => tiles.get(id)?.content.setAttribute('aria-busy', 'true'),
    drawTile(id, visualization, rows) {
      const { content } = tiles.get(id)
      content.removeAttribute('aria-busy')
      content.replaceChildren(draw(visualization, rows))
    },
    failTile(id, message) {
      const { content } = tiles.get(id)
      content.removeAttribute('aria-busy')
      content.replaceChildren(element('p', { class: 'error', role: 'alert' }, message))
    },
    retitleTile(id, text, hidden) {
      const { heading } = tiles.get(id)
      heading.textContent = text
      heading.hidden = hidden
    },
    height: () => Math.ceil(document.querySelector('main').getBoundingClientRect().height),
    onResize: react => new ResizeObserver(react).observe(document.querySelector('main')),
  }
}
