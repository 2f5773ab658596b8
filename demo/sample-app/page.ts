import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

const style = `
  :root { color-scheme: light dark; --ink: light-dark(#1b2330, #e8ebf1); --soft: light-dark(#5a6475, #a3adbd);
    --paper: light-dark(#fbfbfc, #12161d); --line: light-dark(#dfe2e8, #303846); --accent: light-dark(#1d4ed8, #93b4ff) }
  * { box-sizing: border-box }
  body { margin: 0; padding: clamp(1.5rem, 6vw, 5rem) 1.5rem; background: var(--paper); color: var(--ink);
    font: 1.0625rem/1.6 system-ui, sans-serif }
  main { max-width: 42rem; margin: 0 auto }
  h1 { margin: 0 0 .5rem; font-size: clamp(1.75rem, 5vw, 2.5rem); line-height: 1.15; letter-spacing: -.02em;
    text-wrap: balance; overflow-wrap: anywhere }
  h2 { margin: 3rem 0 .75rem; font-size: 1.125rem }
  p { margin: 0; color: var(--soft); max-width: 60ch }
  dl { display: grid; grid-template-columns: max-content 1fr; margin: 0; border-top: 1px solid var(--line) }
  dt, dd { margin: 0; padding: .625rem 0; border-bottom: 1px solid var(--line) }
  dt { padding-inline-end: 2rem; color: var(--soft) }
  dd { overflow-wrap: anywhere }
  ul { margin: 0; padding: 0; list-style: none; display: flex; flex-wrap: wrap; gap: .5rem 1.25rem }
  a { color: var(--accent); text-underline-offset: .2em }
  a:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; border-radius: 2px }
  @media (max-width: 34rem) { dl { grid-template-columns: 1fr } dt { padding-bottom: 0; border: 0 } dd { padding-top: 0 } }
`

export const pageHeaders: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; base-uri 'none'; form-action 'self'`,
  'x-content-type-options': 'nosniff',
}

/** What the headers of a request say of who sent it. Behind the sidecar they can be believed; this app believes them. */
export function homePage(headers: IncomingHttpHeaders): string {
  const user = valueOf(headers, 'x-forwarded-user')
  const email = valueOf(headers, 'x-forwarded-email')
  const name = valueOf(headers, 'x-forwarded-preferred-username')
  const groups = valueOf(headers, 'x-forwarded-groups')
    ?.split(',')
    .map(group => group.trim())
    .filter(Boolean)

  const title = user === undefined ? 'Nobody is signed in' : `Hello, ${name ?? email ?? user}`
  const facts: [string, string | undefined][] = [
    ['User', user],
    ['Email', email],
    ['Preferred name', name],
    ['Groups', groups?.length === 0 ? 'none' : groups?.join(', ')],
    ['Request', valueOf(headers, 'x-request-id')],
  ]
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
<p>This small app has no sign-in of its own. It knows only what the sidecar in front of it says in the headers of each request.</p>
<h2>What the sidecar says</h2>
<dl>
${facts.map(([term, fact]) => `<dt>${term}</dt><dd>${escapeHtml(fact ?? 'not said')}</dd>`).join('\n')}
</dl>
<h2>More to look at</h2>
<nav aria-label="Other pages">
<ul>
<li><a href="/headers">All request headers</a></li>
<li><a href="/stream?seconds=5">A stream of five seconds</a></li>
<li><a href="/public/hello.txt">A public file</a></li>
</ul>
</nav>
</main>
</body>
</html>
`
}

function valueOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}
