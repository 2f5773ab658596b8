import { createHash } from 'node:crypto'
import type { Person } from './people.ts'

const style = `
  :root { color-scheme: light dark; --ink: light-dark(#1b2330, #e8ebf1); --soft: light-dark(#5a6475, #a3adbd);
    --paper: light-dark(#f3f4f7, #12161d); --card: light-dark(#ffffff, #1b212b); --line: light-dark(#d4d8e0, #38414f);
    --accent: light-dark(#1d4ed8, #93b4ff); --alarm: light-dark(#b42318, #ff9a8f) }
  * { box-sizing: border-box }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; background: var(--paper);
    color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }
  main { width: 100%; max-width: 26rem; padding: 2rem; background: var(--card); border: 1px solid var(--line);
    border-radius: .75rem }
  h1 { margin: 0 0 .25rem; font-size: 1.5rem; line-height: 1.2; letter-spacing: -.01em; text-wrap: balance }
  p { margin: 0 0 1.25rem; color: var(--soft) }
  p[role=alert] { color: var(--alarm) }
  ul { list-style: none; margin: 0; padding: 0; display: grid; gap: .625rem }
  button { width: 100%; padding: .75rem 1rem; font: inherit; text-align: start; color: inherit; cursor: pointer;
    background: transparent; border: 1px solid var(--line); border-radius: .5rem }
  button:hover { border-color: var(--accent) }
  button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
  button strong, button span { display: block }
  button span { color: var(--soft); font-size: .875rem; overflow-wrap: anywhere }
  button + button { margin-top: .625rem }
  small { display: block; margin-top: 1.25rem; color: var(--soft) }
`

const styleHash = createHash('sha256').update(style).digest('base64')

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}

/**
 * The headers of every page. Browsers hold the redirects that follow a form to `form-action` as well, so the origin that
 * the person is on the way back to must be named.
 */
export function pageHeaders(returnTo?: string): Record<string, string> {
  const origin = returnTo === undefined ? undefined : URL.parse(returnTo)?.origin
  const formTargets = origin === undefined || origin === 'null' ? `'self'` : `'self' ${origin}`
  return {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': `default-src 'none'; style-src 'sha256-${styleHash}'; form-action ${formTargets}; base-uri 'none'; frame-ancestors 'none'`,
    'referrer-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
  }
}

/** `content` is markup, already escaped. */
function page(title: string, content: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${content}
</main>
</body>
</html>
`
}

export function signInPage(options: {
  action: string
  clientName: string
  people: readonly Person[]
  problem?: string
}): string {
  const choices = options.people.map(
    ({ id, name, email, groups }) => `<li><button type="submit" name="person" value="${escapeHtml(id)}">
<strong>${escapeHtml(name)}</strong>
<span>${escapeHtml(email)}</span>
<span>${groups.length === 0 ? 'In no group' : `In ${escapeHtml(groups.join(', '))}`}</span>
</button></li>`,
  )
  return page(
    'Who is signing in?',
    `<p>To continue to ${escapeHtml(options.clientName)}.</p>
${options.problem === undefined ? '' : `<p role="alert">${escapeHtml(options.problem)}</p>`}
<form method="post" action="${escapeHtml(options.action)}">
<ul>
${choices.join('\n')}
</ul>
</form>
<small>A demonstration: nobody here has a password.</small>`,
  )
}

/** `form` is the provider's own, with the id that the buttons name. */
export function signOutPage(form: string): string {
  return page(
    'Sign out?',
    `<p>This ends your session at the demo issuer.</p>
${form}
<button type="submit" form="op.logoutForm" name="logout" value="yes"><strong>Sign out</strong></button>
<button type="submit" form="op.logoutForm"><strong>Stay signed in</strong></button>`,
  )
}

export function messagePage(title: string, message: string): string {
  return page(title, `<p>${escapeHtml(message)}</p>`)
}
