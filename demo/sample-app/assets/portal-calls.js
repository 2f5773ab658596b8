const KEPT = 60

/**
 * Shows each call of the page to Sallyport and to Looker, whoever makes it: both of Looker's libraries and the client use
 * `fetch`. `onAnswer` gets the path, what Sallyport answered, and when it was asked. Begins before anybody calls.
 */
export function startCalls({ prefix, api, onAnswer }) {
  const list = document.getElementById('calls')
  const plain = globalThis.fetch

  globalThis.fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input, location.href)
    const isOurs = url.origin === location.origin && url.pathname.startsWith(`${prefix}/`)
    if (!isOurs && url.origin !== api) return plain(input, init)
    const method = init?.method ?? (input instanceof Request ? input.method : 'GET')
    const [askedAt, startedAt] = [Date.now(), performance.now()]
    const end = begin(method, url.pathname)
    try {
      const answer = await plain(input, init)
      end(answer.status, answer.ok ? 'yes' : 'no', performance.now() - startedAt)
      if (isOurs && answer.ok && answer.status !== 204) {
        // What is no JSON is none of the answers that are waited for.
        answer.clone().json().then(body => onAnswer(url.pathname.slice(prefix.length), body, askedAt), () => {})
      }
      return answer
    } catch (error) {
      const isDropped = error.name === 'AbortError'
      end(isDropped ? 'dropped' : 'failed', isDropped ? 'soft' : 'no', performance.now() - startedAt)
      throw error
    }
  }

  function begin(method, path) {
    const row = list.insertRow(0)
    const [call, status, took] = [row.insertCell(), row.insertCell(), row.insertCell()]
    const code = document.createElement('code')
    const verb = document.createElement('strong')
    verb.textContent = method
    code.append(verb, ` ${path}`)
    call.append(code)
    status.textContent = '…'
    took.className = 'number'
    while (list.rows.length > KEPT) list.deleteRow(-1)
    return (outcome, kind, milliseconds) => {
      status.textContent = outcome
      status.className = kind
      took.textContent = `${Math.max(1, Math.round(milliseconds))} ms`
    }
  }
}
