import { tableOf } from './result-table.js'

const FIRST_SHOWN = 'Sales by brand'

/** Questions to Looker, from this page and as the person: Looker's API over CORS, with their token. */
export function startAsking({ token, mayExplore }) {
  const at = id => document.getElementById(id)
  const [own, saved, said, answerPlace] = [at('ask-own'), at('ask-saved'), at('ask-said'), at('ask-answer')]
  if (own === null) return

  async function looker(path, body) {
    const call = async ({ base, value }) =>
      fetch(`${base}/api/4.0${path}`, {
        ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
        headers: { authorization: `Bearer ${value}`, ...(body && { 'content-type': 'application/json' }) },
        credentials: 'omit',
        referrerPolicy: 'no-referrer',
        signal: AbortSignal.timeout(20_000),
      })
    const answer = await call(await token.current())
    return answer.status === 401 ? call(await token.replace()) : answer
  }

  const say = (words, isRefusal = false) => {
    said.classList.toggle('refused', isRefusal)
    said.textContent = words
  }

  async function run(title, path, body) {
    say('Asking Looker …')
    const startedAt = performance.now()
    const answer = await looker(path, body)
    if (!answer.ok) {
      answerPlace.replaceChildren()
      say(refusal(answer.status, body !== undefined), true)
      return
    }
    const result = await answer.json()
    const took = Math.max(1, Math.round(performance.now() - startedAt))
    const count = result.data.length
    answerPlace.replaceChildren(tableOf(title, result))
    say(`${count} ${count === 1 ? 'row' : 'rows'}, from ${new URL(answer.url).host} to this page in ${took} ms.`)
  }

  function refusal(status, isOwn) {
    if (isOwn && !mayExplore && (status === 403 || status === 404)) {
      return 'Looker refuses: a question of your own needs the permission “explore”, and your grant does not have it. What is saved in Looker is open to you.'
    }
    return `Looker refuses this (${status}).`
  }

  const tell = work => work().catch(error => say(error.message, true))

  own.addEventListener('submit', event => {
    event.preventDefault()
    const { measure, dimension } = own.elements
    const title = `${textOf(measure)} by ${textOf(dimension)}`
    const byTime = dimension.value.endsWith('_month')
    tell(() =>
      run(title, '/queries/run/json_detail', {
        model: 'thelook',
        view: 'orders',
        fields: [dimension.value, measure.value],
        sorts: [byTime ? dimension.value : `${measure.value} desc`],
        limit: '50',
      }),
    )
  })
  saved.addEventListener('submit', event => {
    event.preventDefault()
    const { saved: choice } = saved.elements
    tell(() => run(textOf(choice), `/queries/${choice.value}/run/json_detail`))
  })

  async function begin() {
    await token.current().catch(error => {
      own.hidden = saved.hidden = true
      throw new Error(`There is no token to ask with, and nothing was sent to Looker. ${error.message}`)
    })
    const answer = await looker('/dashboards/search')
    const dashboards = answer.ok ? await answer.json() : []
    const { saved: choice } = saved.elements
    choice.replaceChildren(...dashboards.map(groupOf))
    const first = Array.from(choice.options).find(({ text }) => text === FIRST_SHOWN)
    if (first) first.selected = true
    own.querySelector('button').disabled = false
    saved.querySelector('button').disabled = choice.options.length === 0
    if (choice.options.length > 0) await run(textOf(choice), `/queries/${choice.value}/run/json_detail`)
  }
  tell(begin)
}

function textOf(select) {
  return select.selectedOptions[0]?.text ?? ''
}

function groupOf({ title, dashboard_elements: tiles }) {
  const group = document.createElement('optgroup')
  group.label = title
  group.append(...tiles.map(tile => new Option(tile.title, tile.query_id)))
  return group
}
