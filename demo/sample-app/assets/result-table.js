/** The rows of a `json_detail` answer, under this title. */
export function tableOf(title, { fields, data }) {
  const columns = [...fields.dimensions, ...fields.measures]
  // Bars beside several numbers would say that they can be compared.
  const hasBars = fields.measures.length === 1 && data.length > 1
  const table = document.createElement('table')
  table.createCaption().textContent = title
  const head = table.createTHead().insertRow()
  for (const { label_short: label, measure } of columns) head.append(cell('th', label, measure, { scope: 'col' }))
  const body = table.createTBody()
  for (const row of data) {
    const line = body.insertRow()
    for (const [index, { name, measure }] of columns.entries()) {
      const { value } = row[name]
      const place = cell(index === 0 ? 'th' : 'td', display(value), measure, index === 0 ? { scope: 'row' } : {})
      if (measure && hasBars) place.prepend(share(value, Math.max(...data.map(other => other[name].value))))
      line.append(place)
    }
  }
  return table
}

function cell(tag, text, isNumber, attributes) {
  const made = Object.assign(document.createElement(tag), attributes)
  made.textContent = text
  if (isNumber) made.className = 'number'
  return made
}

function display(value) {
  if (typeof value !== 'number') return value ?? '–'
  return value.toLocaleString([], { maximumFractionDigits: 2, minimumFractionDigits: Number.isInteger(value) ? 0 : 2 })
}

/** The same number as a bar; screen readers have read it already. */
function share(value, largest) {
  const [room, bar] = [document.createElement('span'), document.createElement('span')]
  room.className = 'share'
  room.ariaHidden = 'true'
  bar.style.width = `${largest > 0 ? (value / largest) * 100 : 0}%`
  room.append(bar)
  return room
}
