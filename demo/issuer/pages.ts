import { createHash } from 'node:crypto'
import type { Person } from './people.ts'

const style = `
  :root { color-scheme: light dark; --ground: light-dark(#f4f5f7, #0f1318); --card: light-dark(#fff, #191f27);
    --edge: light-dark(#d9dde3, #303945); --field: light-dark(#7b8694, #748091); --ink: light-dark(#161b22, #eceff4);
    --soft: light-dark(#515c6b, #a7b1bf); --accent: light-dark(#0b5fa5, #8cc5ff); --alarm: light-dark(#a8261a, #ffab9f) }
  * { box-sizing: border-box }
  body { margin: 0; min-height: 100dvh; display: grid; place-items: center; padding: 1.5rem; background: var(--ground);
    color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; -webkit-text-size-adjust: 100% }
  main { width: min(100%, 27rem); padding: 2.25rem 2rem 2rem; background: var(--card); border: 1px solid var(--edge);
    border-top: 3px solid var(--accent); border-radius: .5rem; box-shadow: 0 1px 2px #0001, 0 8px 24px #0001 }
  .site { margin: 0 0 1.25rem; font-size: .875rem }
  h1 { margin: 0 0 .5rem; font-size: 1.5rem; line-height: 1.2; letter-spacing: -.015em; text-wrap: balance }
  p { margin: 0 0 1.5rem; color: var(--soft); overflow-wrap: anywhere; text-wrap: pretty }
  p[role=alert] { color: var(--alarm) }
  ul { list-style: none; margin: 0; padding: 0; display: grid; gap: .625rem }
  button { display: grid; grid-template-columns: auto 1fr; gap: 0 .875rem; align-items: center; width: 100%;
    padding: .75rem 1rem; font: inherit; text-align: start; color: inherit; cursor: pointer; background: transparent;
    border: 1px solid var(--field); border-radius: .375rem }
  button:hover { border-color: var(--accent) }
  button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
  button i { grid-row: span 2; width: 2.5rem; height: 2.5rem; border-radius: 50%; display: grid; place-items: center;
    background: var(--ground); color: var(--accent); font-style: normal; font-weight: 600 }
  button strong { font-weight: 600 }
  button span { color: var(--soft); font-size: .875rem; overflow-wrap: anywhere }
  button + button { margin-top: .625rem }
  small { display: block; margin-top: 1.5rem; color: var(--soft) }
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
<p class="site">Demo issuer</p>
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
<i aria-hidden="true">${escapeHtml(name.slice(0, 1))}</i>
<strong>${escapeHtml(name)}</strong>
<span>${escapeHtml(email)}, ${groups.length === 0 ? 'in no group' : `in ${escapeHtml(groups.join(', '))}`}</span>
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
    `<p>Of the demo issuer, that is. As long as you stay signed in here, signing in to an app asks nothing.</p>
${form}
<button type="submit" form="op.logoutForm" name="logout" value="yes"><strong>Sign out</strong></button>
<button type="submit" form="op.logoutForm"><strong>Stay signed in</strong></button>`,
  )
}

export function messagePage(title: string, message: string): string {
  return page(title, `<p>${escapeHtml(message)}</p>`)
}
