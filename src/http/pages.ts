import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { PROBLEM_TYPE, urnOf } from './problem.ts'

/** What a person is told. All of it is text: nothing in it is read as markup. */
export interface Page {
  readonly title: string
  readonly text: string
  /** The first is what most people want. */
  readonly links: readonly { readonly href: string; readonly label: string }[]
  /** What an administrator asks for. */
  readonly requestId?: string
}

const STYLE = `
:root { color-scheme: light dark; --ground: light-dark(#f4f5f7, #0f1318); --card: light-dark(#fff, #191f27);
  --edge: light-dark(#d9dde3, #303945); --line: light-dark(#868f9c, #6b7787);
  --ink: light-dark(#161b22, #eceff4); --soft: light-dark(#515c6b, #a7b1bf);
  --accent: light-dark(#0b5fa5, #8cc5ff); --on-accent: light-dark(#fff, #0c1a29) }
* { box-sizing: border-box }
body { margin: 0; min-height: 100dvh; display: grid; place-items: center; padding: 1.5rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; -webkit-text-size-adjust: 100% }
main { width: min(100%, 27rem); padding: 2.25rem 2rem 2rem; background: var(--card); border: 1px solid var(--edge);
  border-radius: .625rem; box-shadow: 0 1px 2px #0001, 0 8px 24px #0001 }
.site { margin: 0 0 1.25rem; color: var(--soft); font-size: .875rem; overflow-wrap: anywhere }
h1 { margin: 0 0 .5rem; font-size: 1.5rem; line-height: 1.2; letter-spacing: -.015em; text-wrap: balance }
h1 + p { margin: 0; color: var(--soft); overflow-wrap: anywhere; text-wrap: pretty }
ul { list-style: none; margin: 1.75rem 0 0; padding: 0; display: grid; gap: .625rem }
a { display: block; padding: .7rem 1rem; border: 1px solid var(--line); border-radius: .375rem; color: var(--ink);
  text-decoration: none; font-weight: 550 }
a:hover { border-color: var(--accent) }
a:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
.only a { text-align: center; background: var(--accent); border-color: var(--accent); color: var(--on-accent) }
.only a:hover { filter: brightness(1.08) }
footer { margin-top: 1.75rem; padding-top: 1rem; border-top: 1px solid var(--edge); color: var(--soft); font-size: .8125rem }
code { font: .8125rem ui-monospace, monospace; overflow-wrap: anywhere; user-select: all }
@media (forced-colors: active) { a, main { border-color: CanvasText } }
`

/** Where the words of the problem are for programs. */
const FOR_PEOPLE: Readonly<Record<string, Pick<Page, 'title' | 'text'>>> = {
  [urnOf('issuer-unavailable')]: {
    title: 'Sign-in is not possible right now',
    text: 'The identity provider cannot be reached. Wait a moment, then try again.',
  },
  [urnOf('store-unavailable')]: {
    title: 'This is not possible right now',
    text: 'Something that is needed for it cannot be reached. Wait a moment, then try again.',
  },
}

const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy': [
    "default-src 'none'",
    `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  // The address of such a page may have a code in it.
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const

/** Makes an answer the page's: its headers, and its markup as what is returned. */
export function pageOf(reply: FastifyReply, page: Page, site: string): string {
  reply.headers(HEADERS)
  return renderPage(page, site)
}

/**
 * Gives the problem documents of a scope to browsers as pages, under the same status.
 * @param links where a person may go on from there.
 * @param wanted whether it is a page that is wanted; by default where HTML is accepted.
 */
export function showProblemsAsPages(
  scope: FastifyInstance,
  site: string,
  links: (request: FastifyRequest) => Page['links'],
  wanted: (request: FastifyRequest) => boolean = acceptsHtml,
): void {
  scope.addHook('onSend', async (request, reply, payload) => {
    const isProblem = reply.getHeader('content-type') === PROBLEM_TYPE && Buffer.isBuffer(payload)
    if (!isProblem || !wanted(request)) return payload
    const {
      type = '',
      title = '',
      detail = '',
      instance = '',
    } = JSON.parse(payload.toString()) as Record<string, string>
    const words = FOR_PEOPLE[type] ?? { title, text: detail }
    return pageOf(reply, { ...words, links: links(request), requestId: instance }, site)
  })
}

function acceptsHtml({ headers }: FastifyRequest): boolean {
  return headers.accept?.includes('text/html') === true
}

/** Whether the answer takes the place of the page that a person has before them, as browsers say it. */
export function isNavigation(request: FastifyRequest): boolean {
  return acceptsHtml(request) && request.headers['sec-fetch-mode'] === 'navigate'
}

/** @param site whose page it is: the host that people see. */
function renderPage({ title, text, links, requestId }: Page, site: string): string {
  const items = links.map(({ href, label }) => `<li><a href="${escapeHtml(href)}">${escapeHtml(label)}</a></li>`)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escapeHtml(title)} · ${escapeHtml(site)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<p class="site">${escapeHtml(site)}</p>
<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(text)}</p>
${items.length === 0 ? '' : `<ul${items.length === 1 ? ' class="only"' : ''}>\n${items.join('\n')}\n</ul>`}
${requestId === undefined ? '' : `<footer>Request <code>${escapeHtml(requestId)}</code></footer>`}
</main>
</body>
</html>
`
}

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}
