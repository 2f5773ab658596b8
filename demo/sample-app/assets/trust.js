/**
 * The emulated Looker makes its certificate itself. A browser that has not been told to trust it opens no frame, and a frame
 * that does not open says nothing to the page: so the page looks first, and tells the person what to do.
 */
export function startTrust({ origin, api, onTrusted }) {
  const notice = document.getElementById('untrusted')
  const plain = globalThis.fetch
  let isTrusted = false

  const answers = url =>
    plain(url, { mode: 'no-cors', cache: 'no-store', credentials: 'omit', signal: AbortSignal.timeout(5000) }).then(
      () => true,
      () => false,
    )

  async function check() {
    isTrusted ||= await answers(origin)
    notice.hidden = isTrusted
    if (isTrusted) return onTrusted()
    if (await answers(api)) {
      const link = Object.assign(document.createElement('a'), { href: origin, target: '_blank', textContent: origin })
      say('Your browser does not know the certificate of the emulated Looker, which made it itself. Open ', link, ' once, accept it there, and come back.')
    } else say('The emulated Looker does not answer.')
  }

  function say(...words) {
    const text = document.createElement('p')
    text.append(...words)
    const again = Object.assign(document.createElement('button'), { type: 'button', textContent: 'Try again' })
    again.addEventListener('click', () => void check())
    // Not said again where nothing has changed.
    if (notice.querySelector('p')?.textContent !== text.textContent) notice.replaceChildren(text, again)
  }

  // The person comes back from the other tab.
  addEventListener('focus', () => {
    if (!notice.hidden) void check()
  })
  return { check }
}
