/** The tokens of this page: asked for, used, renewed in time, and over at some point. */

const API = '/api/internal/embed/'
/** With no more than this left, new tokens are asked for. */
const EARLY_SECONDS = 120
const HEARTBEAT_MILLISECONDS = 5000
const PATIENCE_MILLISECONDS = 30_000

/** The session has ended, or no tokens came although it may well go on. Either has been shown and told. */
export class SessionLost extends Error {}
class Unreachable extends Error {}

/**
 * @param host the page around this one, which has the tokens
 * @param cookieless false when the browser has a cookie instead
 * @param show `over`, `interrupted` and `resumed`: what the person is to see
 */
export function createSession(host, cookieless, show) {
  let tokens
  let over = false
  let asking
  let hear
  let renewal
  let renewAt = Number.POSITIVE_INFINITY
  /** The tokens had, or have since come to have, little time left: others may have no more. */
  let low = false

  host.on('session:tokens', given => {
    if (hear === undefined) void quietly(async () => adopt(given))
    else hear(given)
  })
  const tellStatus = details =>
    host.tell('session:status', { expired: false, interrupted: false, recoverable: true, ...details })

  function end() {
    if (!over) {
      over = true
      clearTimeout(renewal)
      clearInterval(heartbeat)
      void tellStatus({ session_ttl: 0, expired: true, recoverable: false })
      void host.tell('session:expired')
      show.over()
    }
    throw new SessionLost('The session is over')
  }
  function interrupt() {
    // To be asked for again at the next beat.
    low = false
    void tellStatus({ interrupted: true, session_ttl: tokens?.session_reference_token_ttl ?? 0 })
    show.interrupted()
    throw new SessionLost('No tokens came')
  }
  async function askHost() {
    const { promise, resolve } = Promise.withResolvers()
    const late = setTimeout(() => resolve(), PATIENCE_MILLISECONDS)
    hear = resolve
    void host.tell('session:tokens:request')
    const given = await promise
    hear = undefined
    clearTimeout(late)
    adopt(given)
  }
  function adopt(given) {
    if (given?.session_reference_token_ttl === 0) end()
    if (!given?.api_token || !given.navigation_token) interrupt()
    const isNew = given.api_token !== tokens?.api_token
    tokens = given
    show.resumed()
    void tellStatus({ session_ttl: given.session_reference_token_ttl })
    // Tokens that are handed out again are said to be as good as new.
    if (!isNew) return
    const left = Math.min(given.api_token_ttl, given.navigation_token_ttl, given.session_reference_token_ttl)
    low = left <= EARLY_SECONDS
    renewAt = Number.POSITIVE_INFINITY
    renewWithin(left)
  }
  /** One request at a time, for however many calls wait for it. */
  const ask = () => (asking ??= askHost().finally(() => (asking = undefined)))

  /** @param left seconds until the first of the tokens lapses */
  function renewWithin(left) {
    if (!cookieless || over) return
    // At the end of a session new tokens live no longer than old ones: halves keep that from becoming a flood.
    const wait = left > EARLY_SECONDS ? left - EARLY_SECONDS : low ? Math.max(1, left / 2) : 0
    low = left <= EARLY_SECONDS
    const at = Date.now() + wait * 1000
    if (at >= renewAt) return
    renewAt = at
    clearTimeout(renewal)
    renewal = setTimeout(() => quietly(renew), wait * 1000)
  }
  async function renew() {
    renewAt = Number.POSITIVE_INFINITY
    await ask()
    // How long these are good for only the server knows.
    await call('heartbeat')
  }
  async function send(path, signal) {
    try {
      const headers = cookieless ? { authorization: `Bearer ${tokens.api_token}` } : {}
      return await fetch(API + path, { signal, headers })
    } catch (error) {
      if (signal?.aborted) throw error
      throw new Unreachable('Looker cannot be reached', { cause: error })
    }
  }

  async function call(path, signal) {
    if (over) end()
    if (cookieless && tokens === undefined) await ask()
    let used = tokens?.api_token
    let answer = await send(path, signal)
    if (answer.status === 401 && cookieless) {
      // Another call may have had the same answer, and new tokens, in the meantime.
      if (tokens.api_token === used) await ask()
      if (tokens.api_token !== used) {
        used = tokens.api_token
        answer = await send(path, signal)
      }
    }
    if (answer.status === 401) end()
    // Of tokens that are being, or have been, replaced it means nothing.
    const left = answer.headers.get('x-embed-ttl')
    if (left !== null && used === tokens?.api_token && asking === undefined) renewWithin(Number(left))
    return answer
  }
  async function quietly(work) {
    try {
      await work()
    } catch (error) {
      // A server that cannot be reached is asked again at the next beat.
      if (!(error instanceof SessionLost || error instanceof Unreachable)) throw error
    }
  }
  const heartbeat = setInterval(() => quietly(() => call('heartbeat')), HEARTBEAT_MILLISECONDS)

  return {
    /** The parsed answer. */
    async json(path, signal) {
      const answer = await call(path, signal)
      const body = await answer.json()
      if (!answer.ok) throw new Error(body.message ?? `Status ${answer.status}`, { cause: answer.status })
      return body
    },
    /** What opens this page again, should it be loaded anew. */
    navigationToken: () => tokens?.navigation_token,
  }
}
