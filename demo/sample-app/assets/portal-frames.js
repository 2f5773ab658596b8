import { inWords } from './words.js'

/** A frame that has not spoken by then shows what Looker has against it, or nothing. */
const PATIENCE = 20_000

/** A frame for each dashboard, made when it is first opened and kept: its tab comes back as it was left. */
export function startFrames({ sdk, titleOf, onFilters, onAgain }) {
  const boards = new Map()

  function boardOf(id) {
    if (boards.has(id)) return boards.get(id)
    const panel = document.getElementById(`panel-${id}`)
    const [place, words, again] = ['.frame', '.state p', '.again'].map(selector => panel.querySelector(selector))
    const board = { id, place, words, again, panel, client: undefined, filters: {}, sent: [] }
    again.addEventListener('click', () => {
      panel.closest('section').querySelector('[aria-selected=true]').focus()
      // What hangs, hangs in the SDK's session: with another it begins anew, and says so by `embedExpired`.
      if (board.client === undefined) onAgain()
      else sdk.clearSession()
    })
    boards.set(id, board)
    return board
  }

  const say = ({ panel, words, again }, state, text = '') => {
    panel.dataset.state = state
    words.textContent = text
    again.hidden = state !== 'refused'
  }

  function drop(board) {
    board.client = undefined
    board.connection = undefined
    board.sent = []
    board.place.replaceChildren()
  }

  /** The host's own changes come back as events too; only what the person did in the frame is news. */
  function heed(board, { dashboard_filters: said }) {
    const filters = Object.fromEntries(Object.entries(board.filters).map(([name, value]) => [name, said[name] ?? value]))
    const key = keyOf(filters)
    const echoes = board.sent.indexOf(key)
    if (echoes >= 0) board.sent.splice(0, echoes + 1)
    if (echoes >= 0 || key === keyOf(board.filters)) return
    board.filters = filters
    onFilters(board.id, filters)
  }

  async function open(board) {
    say(board, 'opening', 'Opening …')
    const opened = keyOf(board.filters)
    const client = sdk
      .createDashboardWithId(board.id)
      .withFilters(onlySet(board.filters))
      .withAriaLabel(`${titleOf(board.id)}, a dashboard in Looker`)
      .withDynamicIFrameHeight()
      .on('dashboard:filters:changed', ({ dashboard }) => heed(board, dashboard))
      .on('dashboard:run:complete', () => {
        board.sent = []
      })
      .appendTo(board.place)
      .build()
    board.client = client
    const late = setTimeout(() => {
      if (board.client === client) say(board, 'refused', 'Looker has not opened this dashboard.')
    }, PATIENCE)
    try {
      const connection = await client.connect({ waitUntilLoaded: true })
      if (board.client !== client) return
      board.connection = connection.asDashboardConnection()
      say(board, 'open')
      if (keyOf(board.filters) !== opened) send(board)
    } catch (error) {
      if (board.client !== client) return
      drop(board)
      say(board, 'refused', inWords(error))
    } finally {
      clearTimeout(late)
    }
  }

  function send(board) {
    board.sent.push(keyOf(board.filters))
    board.connection.updateFilters(board.filters)
    board.connection.run()
  }

  return {
    show({ dashboard: id, filters }) {
      const board = boardOf(id)
      const isNew = keyOf(filters) !== keyOf(board.filters)
      board.filters = filters
      if (board.client === undefined) void open(board)
      else if (isNew && board.connection !== undefined) send(board)
    },
    /** Takes all frames away: their session is over. */
    clear() {
      for (const board of boards.values()) drop(board)
    },
  }
}

/** Their names are always in the same order. */
const keyOf = filters => JSON.stringify(filters)
const onlySet = filters => Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== ''))
