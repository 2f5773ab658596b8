import { type Caller, nameOf } from './caller.ts'
import { escapeHtml, pageHeaders, renderDocument, signedInHeader } from './layout.ts'
import { EMBED_SDK, IMPORT_MAP, IMPORT_MAP_SOURCE } from './libraries.ts'
import { type Explanation, prefixOf, type Surroundings } from './surroundings.ts'

const DASHBOARDS = [
  { id: '1', title: 'Business pulse' },
  { id: '2', title: 'Brand lookup' },
] as const
/** By the names that the dashboards give them; the choices are everybody’s, and what they show is each person’s. */
const FILTERS = [
  { name: 'Region', values: ['EMEA', 'AMER', 'APAC', 'LATAM'] },
  { name: 'Category', values: ['Coats', 'Shirts', 'Shoes'] },
] as const

/** `life` is what the answers that hand the token out call it, without `_ttl`. */
const TOKENS = [
  { life: 'access_token', name: 'Looker API', use: 'for the table' },
  { life: 'session_reference_token', name: 'Embed session', use: 'all frames’' },
  { life: 'navigation_token', name: 'Navigation', use: 'opens frames' },
  { life: 'api_token', name: 'Frame’s API', use: 'for its data' },
  { life: 'authentication_token', name: 'Authentication', use: 'works once' },
] as const

/** The Embed SDK takes Looker's host and always asks it by https. */
const framesOrigin = (lookerUrl: string): string => `https://${new URL(lookerUrl).host}`

export function portalHeaders(surroundings: Surroundings, lookerUrl: string): Record<string, string> {
  const frames = framesOrigin(lookerUrl)
  // The page looks whether the browser trusts that origin before it opens a frame: hence `connections`.
  return pageHeaders(surroundings, { scripts: IMPORT_MAP_SOURCE, connections: frames, frames })
}

/** Dashboards in tabs, a table beside them, and what it took to get them. */
export function portalPage(caller: Caller, surroundings: Surroundings, lookerUrl: string): string {
  const explanation = surroundings.explain?.(caller.user)
  return renderDocument({
    title: 'Sales portal',
    script: 'portal.js',
    head: `<link rel="stylesheet" href="/assets/portal.css">
<script type="importmap">${IMPORT_MAP}</script>
<script defer src="/assets/${EMBED_SDK}"></script>`,
    header: signedInHeader(caller, surroundings, '/portal'),
    main: `<div class="portal-head">
<div>
<h1>Sales portal</h1>
<p class="lead" data-personal>${sees(nameOf(caller), explanation)}</p>
</div>
<form id="filters" class="filters" aria-label="Filters of all dashboards" data-personal>
${FILTERS.map(filterField).join('\n')}
</form>
</div>
<div id="over" role="alert"></div>
<noscript><p class="notice">Dashboards need JavaScript.</p></noscript>
<div id="untrusted" class="notice" role="alert" data-personal hidden></div>
<div class="portal" id="portal" data-prefix="${escapeHtml(prefixOf(surroundings))}" data-user="${escapeHtml(caller.user)}"
  data-frames="${escapeHtml(framesOrigin(lookerUrl))}" data-api="${escapeHtml(new URL(lookerUrl).origin)}"
  data-permissions="${escapeHtml(explanation?.scope?.permissions.join(' ') ?? '')}" data-personal>
${boardsSection()}
${rowsSection()}
${inspectorSection()}
</div>`,
  })
}

function sees(name: string, explanation: Explanation | undefined): string {
  const who = `<span data-name>${escapeHtml(name)}</span>`
  if (explanation === undefined) return `Looker as ${who}.`
  const { scope } = explanation
  if (scope === undefined) return `${who} has no grant, so there is nothing here of Looker’s.`
  const limits = Object.entries(scope.userAttributes).map(([attribute, value]) => `${attribute} ${value}`)
  const only = limits.length === 0 ? 'everything' : `${escapeHtml(limits.join(', '))} and nothing else`
  return `Looker as ${who}: the grant <strong>${escapeHtml(scope.grant)}</strong> shows ${only}.`
}

function filterField({ name, values }: (typeof FILTERS)[number]): string {
  const id = `filter-${name.toLowerCase()}`
  const options = values.map(value => `<option>${value}</option>`).join('')
  return `<p><label for="${id}">${name}</label> <select id="${id}" name="${name}"><option value="">Any</option>${options}</select></p>`
}

/** Before the script runs the first tab is chosen; the address may say another. */
function boardsSection(): string {
  const tabs = DASHBOARDS.map(
    ({ id, title }, index) =>
      `<button type="button" role="tab" id="tab-${id}" aria-controls="panel-${id}" aria-selected="${index === 0}" tabindex="${index === 0 ? 0 : -1}" data-dashboard="${id}">${title}</button>`,
  )
  const panels = DASHBOARDS.map(
    (
      { id },
      index,
    ) => `<div role="tabpanel" id="panel-${id}" aria-labelledby="tab-${id}"${index === 0 ? '' : ' hidden'}>
<div class="frame"></div>
<div class="state"><p role="status">Opening …</p><button type="button" class="again" hidden>Try again</button></div>
</div>`,
  )
  return `<section class="boards" aria-labelledby="boards">
<h2 id="boards" class="unseen">Dashboards</h2>
<div role="tablist" aria-labelledby="boards">
${tabs.join('\n')}
</div>
${panels.join('\n')}
</section>`
}

function rowsSection(): string {
  return `<section class="rows" aria-labelledby="rows">
<div class="with-action">
<h2 id="rows">The rows behind it</h2>
<p><label for="tile" class="unseen">Tile</label> <select id="tile" disabled></select></p>
</div>
<p class="soft">Straight from Looker’s API, with <code>@looker/sdk</code>.</p>
<div id="rows-answer" class="scroll" role="region" aria-label="Rows" tabindex="0"></div>
<p class="said" role="status" id="rows-said"></p>
</section>`
}

/** Neither the seconds nor the calls are announced as they come: nobody could hear anything else. */
function inspectorSection(): string {
  const lives = TOKENS.map(
    ({ life, name, use }) => `<tr data-life="${life}">
<th scope="row" id="life-${life}">${name} <span class="soft">${use}</span></th>
<td><span role="timer" aria-labelledby="life-${life}">–</span><span class="bar" aria-hidden="true"><span></span></span></td>
</tr>`,
  )
  return `<section class="inspector" aria-labelledby="inspector">
<h2 id="inspector">Inspector</h2>
<table class="lives" aria-label="Time left for each token">
<thead class="unseen"><tr><th scope="col">Token</th><th scope="col">Time left</th></tr></thead>
<tbody>
${lives.join('\n')}
</tbody>
</table>
<div class="calls" role="region" aria-label="Calls of this page, newest first" tabindex="0">
<table aria-label="Calls of this page">
<thead><tr><th scope="col">Call</th><th scope="col">Status</th><th scope="col" class="number">Took</th></tr></thead>
<tbody id="calls"></tbody>
</table>
</div>
</section>`
}
