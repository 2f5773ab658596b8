import { type Caller, nameOf } from './caller.ts'
import { prefixOf, type Surroundings } from './surroundings.ts'

/** What a page needs beyond the others: sources for its Content-Security-Policy. */
export interface Openings {
  readonly scripts?: string
  readonly connections?: string
  readonly frames?: string
}

/** The headers of every page: nothing runs or is fetched but what the app serves, and only Looker is called from elsewhere. */
export function pageHeaders(
  { lookerUrl, issuerUrl }: Surroundings,
  { scripts, connections, frames }: Openings = {},
): Record<string, string> {
  const sources = (directive: string, ...allowed: (string | undefined)[]): string =>
    [directive, ...allowed].filter(Boolean).join(' ')
  return {
    'content-type': 'text/html; charset=utf-8',
    // What is on it is one person's, and over when they sign out.
    'cache-control': 'no-store',
    'content-security-policy': [
      "default-src 'none'",
      sources('script-src', "'self'", scripts),
      "style-src 'self'",
      "img-src 'self'",
      sources('connect-src', "'self'", originOf(lookerUrl), connections),
      ...(frames === undefined ? [] : [sources('frame-src', frames)]),
      sources('form-action', "'self'", originOf(issuerUrl)),
      "base-uri 'none'",
      "frame-ancestors 'none'",
    ].join('; '),
    'referrer-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
  }
}

export interface Document {
  readonly title: string
  /** A module of the page's own. */
  readonly script?: string
  /** Markup, already escaped: what comes before the module. */
  readonly head?: string
  /** Markup, already escaped. */
  readonly header: string
  /** Markup, already escaped. */
  readonly main: string
}

export function renderDocument({ title, script, head = '', header, main }: Document): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} · Sallyport demo</title>
<link rel="icon" href="/assets/mark.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/desk.css">
${head}
${script === undefined ? '' : `<script type="module" src="/assets/${script}"></script>`}
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>
<p class="brand"><img src="/assets/mark.svg" alt="" width="28" height="28"> Sallyport <span>demo</span></p>
${header}
</header>
<main id="main" tabindex="-1">
${main}
</main>
<footer>
<p>Everything here runs on one machine, in memory, with made-up people and orders.</p>
<nav aria-label="More to look at">
<ul>
<li><a href="/headers">The headers this app receives</a></li>
<li><a href="/stream?seconds=5">A stream of five seconds</a></li>
<li><a href="/public/hello.txt">A public file</a></li>
</ul>
</nav>
</footer>
</body>
</html>
`
}

/** Above every page of somebody who is signed in. */
export function signedInHeader(caller: Caller, surroundings: Surroundings, current: '/' | '/portal'): string {
  const pages = [
    ['/', 'Desk'] as const,
    ...(surroundings.lookerUrl === undefined ? [] : [['/portal', 'Portal'] as const]),
  ]
  const links = pages.map(
    ([path, name]) => `<li><a href="${path}"${path === current ? ' aria-current="page"' : ''}>${name}</a></li>`,
  )
  return `<nav class="pages" aria-label="Pages" data-personal><ul role="list">${links.join('')}</ul></nav>
<form class="leave" method="post" action="${escapeHtml(prefixOf(surroundings))}/logout" data-personal>
<p>Signed in as <strong data-name>${escapeHtml(nameOf(caller))}</strong></p>
<button type="submit">Sign out</button>
</form>`
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}

/** Terms with their values: `[term, markup]`. */
export function definitions(entries: readonly (readonly [term: string, markup: string])[]): string {
  return `<dl>\n${entries.map(([term, markup]) => `<div><dt>${term}</dt><dd>${markup}</dd></div>`).join('\n')}\n</dl>`
}

export function chips(values: readonly string[], none = 'none'): string {
  if (values.length === 0) return none
  return `<ul class="chips" role="list">${values.map(value => `<li>${escapeHtml(value)}</li>`).join('')}</ul>`
}

function originOf(url: string | undefined): string | undefined {
  return url === undefined ? undefined : new URL(url).origin
}
