import { spell } from './words.js'

const TOKEN = '/looker/token'
const EMBED = new Set(['/looker/embed/session', '/looker/embed/tokens'])

/** Counts the life of each token down, from what the answer that brought it said was left. */
export function startLives() {
  const rows = new Map(
    Array.from(document.querySelectorAll('[data-life]'), row => [
      row.dataset.life,
      { time: row.querySelector('[role=timer]'), bar: row.querySelector('.bar span'), endsAt: undefined, full: 1 },
    ]),
  )

  function set(life, ttl, askedAt) {
    const row = rows.get(life)
    if (row === undefined || typeof ttl !== 'number') return
    row.endsAt = askedAt + ttl * 1000
    row.full = Math.max(row.full, ttl)
  }

  function show() {
    for (const [life, { time, bar, endsAt, full }] of rows) {
      if (endsAt === undefined) continue
      const left = Math.max(0, Math.round((endsAt - Date.now()) / 1000))
      const ended = life === 'authentication_token' ? 'used' : 'over'
      time.textContent = left === 0 ? ended : spell(left)
      bar.style.width = `${(left / full) * 100}%`
    }
  }
  setInterval(show, 1000)

  return {
    heed(path, body, askedAt) {
      if (path === TOKEN) set('access_token', body.expires_in, askedAt)
      if (!EMBED.has(path)) return
      // A session that is over takes its tokens along; the answer names them no more.
      const over = body.session_reference_token_ttl === 0 ? { navigation_token_ttl: 0, api_token_ttl: 0 } : {}
      for (const [name, ttl] of Object.entries({ ...over, ...body })) {
        if (name.endsWith('_ttl')) set(name.slice(0, -4), ttl, askedAt)
      }
      show()
    },
  }
}
