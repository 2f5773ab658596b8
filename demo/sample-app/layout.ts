import type { Surroundings } from './surroundings.ts'

/** The headers of every page: nothing runs or is fetched but what the app serves, and only Looker is called from elsewhere. */
export function pageHeaders({ lookerUrl, issuerUrl }: Surroundings): Record<string, string> {
  return {
    'content-type': 'text/html; charset=utf-8',
    // What is on it is one person's, and over when they sign out.
    'cache-control': 'no-store',
    'content-security-policy': [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self'",
      ['connect-src', "'self'", originOf(lookerUrl)].filter(Boolean).join(' '),
      ['form-action', "'self'", originOf(issuerUrl)].filter(Boolean).join(' '),
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
  /** Markup, already escaped. */
  readonly header: string
  /** Markup, already escaped. */
  readonly main: string
}

export function renderDocument({ title, script, header, main }: Document): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} · Sallyport demo</title>
<link rel="icon" href="/assets/mark.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/desk.css">
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
