const BEAT_MILLISECONDS = 2500
/** A page that asks for ever would keep a session alive that nobody uses. */
const AWAKE_MILLISECONDS = 10 * 60_000

/**
 * The session of whoever is signed in. Asks every few seconds whether it goes on; when it does not, takes everything
 * personal off the page and says so.
 */
export function startSession({ prefix, user }) {
  const listeners = { beat: [], over: [] }
  let over = false
  let usedAt = Date.now()

  /** Calls this origin. Rejects where the session is over, having said so on the page. */
  async function call(path, init) {
    const answer = await fetch(path, { signal: AbortSignal.timeout(20_000), ...init })
    if (answer.status !== 401) return answer
    end()
    throw new Error('the session is over')
  }

  async function beat() {
    if (document.hidden || Date.now() - usedAt > AWAKE_MILLISECONDS) return
    const answer = await fetch('/now', { signal: AbortSignal.timeout(BEAT_MILLISECONDS) })
    if (answer.status === 401) return end()
    if (!answer.ok) return
    const now = await answer.json()
    // Signed in again, or as somebody else, in another tab.
    if (over || now.user !== user) return location.reload()
    for (const listener of listeners.beat) listener(now)
  }

  function end() {
    if (over) return
    over = true
    document.title = 'Signed out · Sallyport demo'
    document.querySelector('h1').textContent = 'You are signed out'
    for (const part of document.querySelectorAll('[data-personal]')) part.remove()
    const again = document.createElement('a')
    again.className = 'button primary'
    again.href = `${prefix}/login?return_to=${encodeURIComponent(location.pathname + location.search)}`
    again.textContent = 'Sign in again'
    const words = document.createElement('p')
    words.textContent = 'Your session has ended. What was yours is off this page.'
    document.getElementById('over').replaceChildren(words, again)
    for (const listener of listeners.over) listener(words, again)
    if (document.activeElement === document.body) again.focus()
  }

  async function describe() {
    const answer = await call(`${prefix}/session`)
    if (!answer.ok) return
    const { name, issuer, expires_at: expiresAt } = await answer.json()
    for (const place of document.querySelectorAll('[data-name]')) place.textContent = name ?? place.textContent
    const ends = new Date(expiresAt).toLocaleString([], { weekday: 'short', hour: '2-digit', minute: '2-digit' })
    // Not every page says these.
    for (const [id, words] of [['session-issuer', issuer], ['session-ends', ends]]) {
      document.getElementById(id)?.replaceChildren(words)
    }
  }

  // Sallyport away for a moment is no end of the session: the next beat tells.
  const quietly = work => work().catch(() => {})
  const used = () => {
    usedAt = Date.now()
  }
  for (const event of ['pointerdown', 'keydown', 'scroll', 'focus']) addEventListener(event, used, { passive: true })
  document.addEventListener('visibilitychange', () => {
    used()
    quietly(beat)
  })
  // The back button may bring this page out of the browser's memory, long after signing out.
  addEventListener('pageshow', event => event.persisted && quietly(beat))
  setInterval(quietly, BEAT_MILLISECONDS, beat)
  quietly(describe)
  setTimeout(quietly, 0, beat)

  return {
    call,
    end,
    onBeat: listener => listeners.beat.push(listener),
    onOver: listener => listeners.over.push(listener),
  }
}
