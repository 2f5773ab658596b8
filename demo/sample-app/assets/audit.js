const WORDS = { allowed: 'let in', denied: 'refused', failed: 'failed' }

/** The last audit lines, as the beats of the session bring them. They are not announced: nobody could hear anything else. */
export function startAudit({ session }) {
  const lines = document.getElementById('audit-lines')
  const pause = document.getElementById('audit-pause')
  if (lines === null) return
  let paused = false
  let shown = new Set()

  pause.addEventListener('click', () => {
    paused = !paused
    pause.ariaPressed = String(paused)
  })
  session.onBeat(({ audit }) => {
    if (paused || audit.every(({ id }) => shown.has(id))) return
    lines.replaceChildren(...audit.map(entry => rowOf(entry, shown.size > 0 && !shown.has(entry.id))))
    shown = new Set(audit.map(({ id }) => id))
  })
}

function rowOf({ time, who, what, operation, decision, why }, isNew) {
  const row = document.createElement('tr')
  if (isNew) row.className = 'new'
  const when = document.createElement('time')
  when.dateTime = new Date(time).toISOString()
  when.textContent = new Date(time).toLocaleTimeString()
  const code = document.createElement('code')
  code.textContent = operation
  const verdict = document.createElement('strong')
  verdict.className = `verdict ${decision === 'allowed' ? 'yes' : 'no'}`
  verdict.textContent = WORDS[decision] ?? decision
  const reason = document.createElement('span')
  reason.className = 'soft'
  reason.textContent = why
  for (const content of [[when], [who], [what, ' ', code], [verdict, ' ', reason]]) row.insertCell().append(...content)
  return row
}
