import { readFileSync } from 'node:fs'
import { RELEASE } from '../release.ts'

const TYPES: Readonly<Record<string, string>> = { css: 'text/css; charset=utf-8', js: 'text/javascript; charset=utf-8' }
const NAMES = ['charts.js', 'frame.css', 'frame.js', 'host.js', 'session.js', 'view.js']

/** What the pages are made of besides their markup, by name. Read once: a name from a request never becomes a path. */
export const assets: ReadonlyMap<string, { readonly type: string; readonly body: Buffer }> = new Map(
  NAMES.map(name => [
    name,
    {
      type: TYPES[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream',
      body: readFileSync(new URL(`assets/${name}`, import.meta.url)),
    },
  ]),
)

/** The headers of every page. Only origins of the embed domain allowlist may have it in a frame. */
export function pageHeaders(allowlist: readonly string[]): Record<string, string> {
  return {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "connect-src 'self'",
      'img-src data:',
      "base-uri 'none'",
      "form-action 'none'",
      // What is not an origin could end the directive and begin another.
      ['frame-ancestors', "'self'", ...allowlist.filter(entry => /^https?:\/\/[\w.*:[\]-]+$/.test(entry))].join(' '),
    ].join('; '),
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  }
}

interface Frame {
  /** The page has to be given its tokens by the page around it. */
  readonly cookieless: boolean
  /** Origin of the page around it; without one nobody is told anything. */
  readonly embedDomain: string | null
}

/** The page in the iframe, the same for all content: what is on it, its script asks for. */
export function framePage({ cookieless, embedDomain }: Frame): string {
  const data = [
    `data-release="${RELEASE}"`,
    ...(cookieless ? ['data-cookieless'] : []),
    ...(embedDomain === null ? [] : [`data-embed-domain="${escapeHtml(embedDomain)}"`]),
  ]
  return page(
    'Looker',
    `<script type="module" src="/assets/frame.js"></script>`,
    `<main ${data.join(' ')}>
<header><h1 id="title"></h1><p id="description"></p></header>
<p id="notice" role="status" hidden></p>
<form id="filters" aria-label="Filters" hidden></form>
<div id="tiles"></div>
</main>`,
  )
}

/** What Looker shows in place of a page it refuses. The reason is for whoever sets up the embedding. */
export function refusalPage(status: number, reason: string): string {
  const title = status === 404 ? 'Oops, we can’t find that page' : 'Single sign on failure'
  const advice = status === 404 ? 'It may have moved, or you may not have access.' : 'Please contact an administrator.'
  return page(title, '', `<main class="refusal"><h1>${title}.</h1><p>${advice}</p><p>${escapeHtml(reason)}</p></main>`)
}

/** For somebody who comes by to have their browser accept the certificate. */
export function frontPage(): string {
  return page(
    'Emulated Looker',
    '',
    `<main class="refusal"><h1>This is the emulated Looker.</h1>
<p>Your browser reaches it, so dashboards can be embedded now. Go back to the page you came from and load it again.</p></main>`,
  )
}

function page(title: string, head: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/assets/frame.css">
${head}
</head>
<body>
${body}
</body>
</html>
`
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
