import { definitions, escapeHtml } from './layout.ts'
import { type Note, renderNote } from './notes.ts'
import type { Scope } from './surroundings.ts'

const MEASURES = [
  ['orders.total_sale_price', 'Total sales'],
  ['orders.count', 'Number of orders'],
  ['orders.average_sale_price', 'Average price'],
] as const
const DIMENSIONS = [
  ['orders.brand', 'brand'],
  ['orders.category', 'category'],
  ['orders.status', 'status'],
  ['orders.region', 'region'],
  ['orders.created_month', 'month'],
] as const

/** The countdown is a timer, which screen readers read when asked; what they are to say by themselves is `#token-soon`. */
export function tokenSection(): string {
  return `<section class="token" aria-labelledby="token" data-personal>
<h2 id="token">Your Looker token</h2>
<p class="soft">Yours alone. The page keeps it in memory and never shows it.</p>
<div id="token-there" hidden>
<p class="countdown"><span role="timer" id="token-left" aria-label="Time left"></span> <span>left</span></p>
<div class="bar" aria-hidden="true"><div id="token-bar"></div></div>
${definitions([
  ['For', '<span id="token-for"></span>'],
  ['Opens', '<code id="token-base" class="long"></code>'],
  ['Good until', '<span id="token-until"></span>'],
  ['Fingerprint', '<code id="token-print"></code>'],
])}
</div>
<p class="said" role="status" id="token-said"></p>
<p class="unseen" role="status" id="token-soon"></p>
<p class="actions">
<button type="button" id="token-ask" disabled>Ask again</button>
<button type="button" id="token-drop" disabled>Give it back</button>
</p>
</section>`
}

export function askSection(scope: Scope | undefined): string {
  const attributes = Object.entries(scope?.userAttributes ?? {}).map(([name, value]) => `${name} is ${value}`)
  return `<section class="ask" aria-labelledby="ask" data-personal>
<h2 id="ask">A query as you</h2>
<p class="soft">This page asks Looker itself, with your token; the answer does not pass through Sallyport.${
    attributes.length === 0 ? '' : ` Looker shows you rows where ${escapeHtml(attributes.join(' and '))}.`
  }</p>
<div class="questions">
<form id="ask-own">
<p><label for="measure">Measure</label> <select id="measure" name="measure">${options(MEASURES)}</select></p>
<p><label for="dimension">By</label> <select id="dimension" name="dimension">${options(DIMENSIONS)}</select></p>
<p><button type="submit" class="primary" disabled>Ask Looker</button></p>
</form>
<form id="ask-saved">
<p><label for="saved">Saved in Looker</label> <select id="saved" name="saved"></select></p>
<p><button type="submit" disabled>Open</button></p>
</form>
</div>
<p class="said" role="status" id="ask-said"></p>
<div id="ask-answer" class="scroll"></div>
</section>`
}

export function auditSection(): string {
  return `<section class="audit" aria-labelledby="audit" data-personal>
<div class="with-action">
<h2 id="audit">The last audit lines</h2>
<button type="button" id="audit-pause" aria-pressed="false">Pause</button>
</div>
<p class="soft">Of everybody in this demo, as they come. Left out: this list itself and the files of the page.</p>
<div class="scroll">
<table aria-labelledby="audit">
<thead><tr><th scope="col">When</th><th scope="col">Who</th><th scope="col">What</th><th scope="col">Decision</th></tr></thead>
<tbody id="audit-lines"></tbody>
</table>
</div>
</section>`
}

export function notesSection(notes: readonly Note[]): string {
  return `<section class="notes" aria-labelledby="notes">
<h2 id="notes">Leave a note</h2>
<p class="soft">The app signs it with the name Sallyport says. If your session ends while you write, nothing is lost.</p>
<div class="beside">
<div>
<form id="note-form" method="post" action="/notes">
<p><label for="note">Your note</label> <textarea id="note" name="note" rows="3" maxlength="500" required></textarea></p>
<p><button type="submit">Leave it</button></p>
</form>
<p class="said" role="status" id="note-said"></p>
</div>
<ul id="note-list" role="list" aria-label="Notes so far" data-personal>${notes.map(renderNote).join('\n')}</ul>
</div>
</section>`
}

function options(choices: readonly (readonly [value: string, label: string])[]): string {
  return choices.map(([value, label]) => `<option value="${value}">${label}</option>`).join('')
}
