import { spell } from './words.js'

/** What the bar is full at: Looker's tokens live an hour. */
const FULL_SECONDS = 3600
/** With less than this left, a token is not used any more. */
const MARGIN_SECONDS = 10
/** Minutes left at which a screen reader says so. */
const SAID_AT = [10, 5, 1]

/** The Looker token: kept here, in memory, and shown by what it is. */
export function startToken({ prefix, session }) {
  const at = id => document.getElementById(id)
  const [ask, drop, said] = [at('token-ask'), at('token-drop'), at('token-said')]
  let held
  let asking

  const secondsLeft = () => (held === undefined ? 0 : Math.max(0, Math.round((held.endsAt - performance.now()) / 1000)))

  /** One request, however many want a token. Rejects with what Sallyport says where there is none. */
  function renew() {
    asking ??= request().finally(() => {
      asking = undefined
    })
    return asking
  }

  async function request() {
    const askedAt = performance.now()
    const answer = await session.call(`${prefix}/looker/token`, { method: 'POST' })
    const body = await answer.json()
    ask.disabled = false
    drop.disabled = !answer.ok
    if (!answer.ok) {
      held = undefined
      show()
      throw new Error(body.detail)
    }
    held = {
      value: body.access_token,
      base: body.base_url,
      print: await fingerprint(body.access_token),
      endsAt: askedAt + body.expires_in * 1000,
    }
    at('token-for').textContent = `Looker user ${body.looker_user_id}, grant ${body.grant}`
    at('token-base').textContent = body.base_url
    at('token-until').textContent = new Date(Date.now() + body.expires_in * 1000).toLocaleTimeString()
    at('token-print').textContent = held.print
    show()
    return held
  }

  async function giveBack() {
    const answer = await session.call(`${prefix}/looker/token`, { method: 'DELETE' })
    if (!answer.ok) throw new Error((await answer.json()).detail)
    held = undefined
    drop.disabled = true
    show()
  }

  function show() {
    const left = secondsLeft()
    at('token-there').hidden = held === undefined
    at('token-left').textContent = spell(left)
    at('token-bar').style.width = `${Math.min(100, (left / FULL_SECONDS) * 100)}%`
  }

  let leftBefore = 0
  function tick() {
    if (held === undefined) return
    show()
    const left = secondsLeft()
    // Browsers skip ticks of what is in the background.
    if (SAID_AT.some(minutes => left <= minutes * 60 && leftBefore > minutes * 60)) {
      at('token-soon').textContent = `${spell(left)} left`
    }
    leftBefore = left
    if (left === 0 && !document.hidden) tell(async () => `It ran out. This is the next one, ${(await renew()).print}.`)
  }

  const say = (words, isRefusal) => {
    said.classList.toggle('refused', isRefusal)
    said.textContent = words
  }
  const tell = work =>
    work().then(
      words => say(words, false),
      error => say(error.message, true),
    )

  ask.addEventListener('click', () =>
    tell(async () => {
      const before = held?.print
      const { print } = await renew()
      if (before === undefined) return `A new token: ${print}.`
      return before === print
        ? `The same token, ${print}: Sallyport had it, and did not ask Looker.`
        : `Another token: ${before} is over, this is ${print}.`
    }),
  )
  drop.addEventListener('click', () =>
    tell(async () => {
      await giveBack()
      return 'Given back: it opens nothing any more. Ask again for another.'
    }),
  )
  session.onOver(() => {
    held = undefined
  })
  setInterval(tick, 1000)
  const first = renew()
  tell(async () => {
    await first
    return ''
  })

  return {
    current: () => (secondsLeft() > MARGIN_SECONDS ? Promise.resolve(held) : renew()),
    /** For a token that Looker does not know any more: Sallyport has to forget it too. */
    async replace() {
      await giveBack()
      return renew()
    },
  }
}

/** Tells two tokens apart without giving either away. Browsers have `subtle` over https and on loopback. */
async function fingerprint(token) {
  if (crypto.subtle === undefined) return 'not shown over plain http'
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token))
  return Array.from(new Uint8Array(digest, 0, 4), byte => byte.toString(16).padStart(2, '0')).join('')
}
