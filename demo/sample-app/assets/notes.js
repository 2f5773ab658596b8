const DRAFT = 'note-draft'

/** The form. What somebody has written outlives their session: it stays in this tab, and is theirs alone. */
export function startNotes({ session, user }) {
  const form = document.getElementById('note-form')
  const said = document.getElementById('note-said')
  const list = document.getElementById('note-list')
  const { note } = form.elements

  const draft = JSON.parse(sessionStorage.getItem(DRAFT) ?? 'null')
  if (draft?.user === user) {
    note.value = draft.text
    said.textContent = 'Here is what you had written. It has not been sent.'
  } else sessionStorage.removeItem(DRAFT)

  const keep = () => {
    if (note.value === '') sessionStorage.removeItem(DRAFT)
    else sessionStorage.setItem(DRAFT, JSON.stringify({ user, text: note.value }))
  }
  note.addEventListener('input', keep)

  // Who signs out leaves nothing behind.
  document.querySelector('.leave').addEventListener('submit', () => sessionStorage.removeItem(DRAFT))
  session.onOver(words => {
    if (note.value !== '') words.textContent += ' Your note is kept in this tab: sign in again, and send it then.'
  })

  form.addEventListener('submit', event => {
    event.preventDefault()
    send().catch(() => {
      said.textContent = 'Not sent. Your note is still here.'
      document.querySelector('#over a')?.focus()
    })
  })

  async function send() {
    const answer = await session.call('/notes', {
      method: 'POST',
      body: new URLSearchParams({ note: note.value }),
      headers: { accept: 'application/json' },
    })
    if (!answer.ok) throw new Error(String(answer.status))
    list.prepend(itemOf(await answer.json()))
    note.value = ''
    keep()
    said.textContent = 'Left.'
  }
}

function itemOf({ who, text }) {
  const item = document.createElement('li')
  const name = document.createElement('strong')
  name.textContent = who
  const words = document.createElement('span')
  words.textContent = text
  item.append(name, ' ', words)
  return item
}
