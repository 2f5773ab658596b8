/** Draws the rows of a tile. */

const SVG = 'http://www.w3.org/2000/svg'
const WIDTH = 480
const HEIGHT = 200
const COLORS = 6

const number = new Intl.NumberFormat('en', { maximumFractionDigits: 2 })
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })
const shown = value => (typeof value === 'number' ? number.format(value) : String(value ?? '∅'))

/** @returns {HTMLElement} */
export function draw(visualization, { fields, data }) {
  const columns = [...fields.dimensions, ...fields.measures]
  const rows = data.map(row => columns.map(({ name }) => row[name]?.value ?? null))
  if (rows.length === 0) return element('p', { class: 'empty' }, 'No results')
  if (visualization === 'single_value') return element('p', { class: 'value' }, shown(rows[0]?.[columns.length - 1]))
  const measure = fields.dimensions.length
  if (fields.dimensions.length !== 1 || columns[measure] === undefined) return table(columns, rows)
  const points = rows.map(row => ({ label: shown(row[0]), value: Number(row[measure]) }))
  const told = points.map(({ label, value }) => `${label} ${number.format(value)}`)
  const summary = `${columns[measure].label}: ${told.join(', ')}`
  switch (visualization) {
    case 'looker_bar':
      return bars(points)
    case 'looker_column':
      return figure(summary, columnMarks(points))
    case 'looker_line':
      return figure(summary, lineMarks(points))
    case 'looker_pie':
      return pie(points, summary)
    default:
      return table(columns, rows)
  }
}

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.append(...children)
  return made
}

function mark(name, attributes, text) {
  const made = document.createElementNS(SVG, name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  if (text !== undefined) made.textContent = text
  return made
}

function figure(summary, marks, viewBox = `0 0 ${WIDTH} ${HEIGHT + 24}`) {
  const drawing = mark('svg', { viewBox, role: 'img', 'aria-label': summary })
  drawing.append(...marks)
  return drawing
}

function table(columns, rows) {
  const numeric = columns.map(({ is_numeric: isNumeric }) => (isNumeric ? { class: 'number' } : {}))
  const head = columns.map(({ label_short: label }, index) => element('th', { scope: 'col', ...numeric[index] }, label))
  const body = rows.map(row =>
    element('tr', {}, ...row.map((cell, index) => element('td', numeric[index], shown(cell)))),
  )
  const made = element('table', {}, element('thead', {}, element('tr', {}, ...head)), element('tbody', {}, ...body))
  return element('div', { class: 'scroll', tabindex: '0' }, made)
}

function bars(points) {
  const top = Math.max(...points.map(({ value }) => value), 1)
  return element(
    'ol',
    { class: 'bars' },
    ...points.map(({ label, value }) => {
      const bar = element('span', { class: 'bar' })
      bar.style.width = `${(value / top) * 100}%`
      const amount = element('b', {}, number.format(value))
      return element('li', {}, element('span', {}, label), element('span', {}, bar), amount)
    }),
  )
}

/** Where a value is, with room above for the largest and below for the labels. */
function scale(points) {
  const top = Math.max(...points.map(({ value }) => value), 1)
  const step = WIDTH / points.length
  return { step, x: index => (index + 0.5) * step, y: value => HEIGHT - (value / top) * (HEIGHT - 24) }
}

function columnMarks(points) {
  const { step, x, y } = scale(points)
  const width = Math.min(step * 0.7, 72)
  return points.flatMap(({ label, value }, index) => [
    mark('rect', { x: x(index) - width / 2, y: y(value), width, height: HEIGHT - y(value), class: 'c0' }),
    mark('text', { x: x(index), y: y(value) - 6, class: 'amount' }, short.format(value)),
    mark('text', { x: x(index), y: HEIGHT + 18 }, label),
  ])
}

function lineMarks(points) {
  const { x, y } = scale(points)
  const every = Math.ceil(points.length / 6)
  return [
    mark('line', { x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT, class: 'axis' }),
    mark('polyline', { points: points.map(({ value }, index) => `${x(index)},${y(value)}`).join(' '), class: 'line' }),
    ...points.map(({ value }, index) => mark('circle', { cx: x(index), cy: y(value), r: 3, class: 'c0' })),
    ...points.flatMap(({ label }, index) =>
      index % every === 0 ? [mark('text', { x: x(index), y: HEIGHT + 18 }, label)] : [],
    ),
  ]
}

function pie(points, summary) {
  const total = points.reduce((sum, { value }) => sum + value, 0) || 1
  let before = 0
  // With this radius the circle is 100 round, so that a share is a length of dash.
  const slices = points.map(({ value }, index) => {
    const share = (value / total) * 100
    const slice = mark('circle', {
      cx: 21,
      cy: 21,
      r: 15.915_494,
      class: `slice s${index % COLORS}`,
      'stroke-dasharray': `${share} ${100 - share}`,
      'stroke-dashoffset': 25 - before,
    })
    before += share
    return slice
  })
  const legend = points.map(({ label, value }, index) => {
    const swatch = element('i', { class: `c${index % COLORS}` })
    return element('li', {}, swatch, `${label} `, element('b', {}, number.format(value)))
  })
  return element('div', { class: 'pie' }, figure(summary, slices, '0 0 42 42'), element('ul', {}, ...legend))
}
