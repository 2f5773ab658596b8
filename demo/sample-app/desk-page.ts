import { type Caller, nameOf } from './caller.ts'
import { chips, definitions, escapeHtml, renderDocument, signedInHeader } from './layout.ts'
import type { Note } from './notes.ts'
import { askSection, auditSection, notesSection, tokenSection } from './desk-sections.ts'
import { type Explanation, prefixOf, type Surroundings } from './surroundings.ts'

/** What somebody sees who is signed in. What the app knows is in the markup; what Sallyport and Looker say, the script adds. */
export function deskPage(caller: Caller, surroundings: Surroundings, notes: readonly Note[]): string {
  const prefix = escapeHtml(prefixOf(surroundings))
  const name = nameOf(caller)
  const explanation = surroundings.explain?.(caller.user)
  return renderDocument({
    title: `Hello, ${name}`,
    script: 'desk.js',
    header: signedInHeader(caller, surroundings, '/'),
    main: `<div class="hello">
<h1>Hello, <span data-name>${escapeHtml(name)}</span></h1>
<p class="lead" data-personal>You came in through Sallyport. This app has no sign-in of its own and holds no Looker credentials.</p>
</div>
<div id="over" role="alert"></div>
<noscript><p class="notice">Your token, the questions to Looker and the audit lines need JavaScript.</p></noscript>
<div class="desk" id="desk" data-prefix="${prefix}" data-user="${escapeHtml(caller.user)}"
  data-permissions="${escapeHtml(explanation?.scope?.permissions.join(' ') ?? '')}">
${youSection(caller)}
${explanation === undefined ? '' : grantSection(explanation)}
${tokenSection()}
${surroundings.lookerUrl === undefined ? '' : askSection(explanation?.scope)}
${surroundings.auditLines === undefined ? '' : auditSection()}
${notesSection(notes)}
</div>`,
  })
}

function youSection({ user, email, groups, requestId }: Caller): string {
  return `<section class="you" aria-labelledby="you" data-personal>
<h2 id="you">You</h2>
<p class="soft">The headers of this request say so. Sallyport drops any copy that a browser sends.</p>
${definitions([
  ['Subject', `<code>${escapeHtml(user)}</code>`],
  ['E-mail', escapeHtml(email ?? 'not said')],
  ['Groups', chips(groups)],
  ['Issuer', '<span id="session-issuer">…</span>'],
  ['Session ends', '<span id="session-ends">…</span>'],
  ['Request', `<code class="long">${escapeHtml(requestId ?? 'not said')}</code>`],
])}
</section>`
}

function grantSection({ verdicts, scope }: Explanation): string {
  const reasons = verdicts.map(({ grant, mismatch }) =>
    mismatch === undefined
      ? `<li><strong class="verdict yes">${escapeHtml(grant)}</strong> <span>matches, and is yours: the first that fits counts</span></li>`
      : `<li><strong class="verdict no">${escapeHtml(grant)}</strong> <span>${escapeHtml(mismatch)}</span></li>`,
  )
  return `<section class="grant" aria-labelledby="grant" data-personal>
<h2 id="grant">${scope === undefined ? 'You have no grant' : 'Your grant, and why'}</h2>
<p class="soft">${
    scope === undefined
      ? 'You may use this app. No grant fits you, so Looker gives you nothing; an administrator can change that.'
      : `You hold the grant <strong>${escapeHtml(scope.grant)}</strong>. Looker is told exactly this, and takes back whatever it knew before.`
  }</p>
<ol class="why" role="list" aria-label="Grants in their order">
${reasons.join('\n')}
</ol>
${scope === undefined ? '' : scopeList(scope)}
</section>`
}

function scopeList(scope: NonNullable<Explanation['scope']>): string {
  const attributes = Object.entries(scope.userAttributes).map(([name, value]) => `${name} = ${value}`)
  return definitions([
    ['Permissions', chips(scope.permissions)],
    ['Models', chips(scope.models)],
    ['Attributes', chips(attributes)],
    ['External id', `<code>${escapeHtml(scope.externalUserId)}</code>`],
  ])
}
