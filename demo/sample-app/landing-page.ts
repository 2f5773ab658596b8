import { escapeHtml, renderDocument } from './layout.ts'
import { type Explanation, type Person, prefixOf, type Surroundings } from './surroundings.ts'

const PICTURE = `<svg class="picture" viewBox="0 0 460 252" role="img" aria-label="You come to the app through Sallyport, which makes your Looker token; with it you ask Looker yourself.">
<path d="M112 62h66m112 0h58M235 92v90M61 92v117h116"/>
<path class="tip" d="m178 62-10-5v10zM348 62l-10-5v10zM235 182l-5-10h10zM177 209l-10-5v10z"/>
<rect x="10" y="32" width="102" height="60" rx="8"/><rect class="us" x="180" y="32" width="110" height="60" rx="8"/>
<rect x="350" y="32" width="100" height="60" rx="8"/><rect x="180" y="184" width="110" height="50" rx="8"/>
<text x="61" y="67">You</text><text class="us" x="235" y="67">Sallyport</text><text x="400" y="67">This app</text><text x="235" y="214">Looker</text>
<text class="word" x="146" y="24">sign in</text><text class="word" x="320" y="24">who you are</text>
<text class="word start" x="246" y="142">makes your token</text><text class="word start" x="72" y="199">asks as you</text>
</svg>`

/** What somebody sees who is not signed in. */
export function landingPage(surroundings: Surroundings): string {
  const { people = [] } = surroundings
  return renderDocument({
    title: 'Sign in',
    header: '',
    main: `<section class="hero" aria-labelledby="title">
<div>
<h1 id="title">Everybody reaches Looker as themselves</h1>
<p class="lead">This app has no sign-in of its own and no Looker credentials. Sallyport stands in front of it, and sees to both.</p>
<p><a class="button primary" href="${escapeHtml(prefixOf(surroundings))}/login?return_to=/">Sign in</a>${surroundings.lookerUrl === undefined ? '' : '\n<a class="button" href="/portal">Open the portal</a>'}</p>
</div>
${PICTURE}
</section>
${people.length === 0 ? '' : peopleSection(people, surroundings)}
<section aria-labelledby="steps">
<h2 id="steps">What happens when you sign in</h2>
<ol class="steps" role="list">
<li><h3>Who</h3><p>The issuer says who you are. Sallyport keeps a session; your browser holds one opaque cookie.</p></li>
<li><h3>What</h3><p>The first grant that fits your groups is yours. It says what you may do in Looker, and nothing more.</p></li>
<li><h3>Token</h3><p>Sallyport makes your own Looker user and a token for it, good for an hour at most.</p></li>
<li><h3>Answer</h3><p>The page asks Looker directly, as you. Every step is a line in the audit log.</p></li>
</ol>
</section>`,
  })
}

function peopleSection(people: readonly Person[], { explain }: Surroundings): string {
  const cards = people.map(
    person => `<li>
<h3>${escapeHtml(person.name)}</h3>
<p class="soft">${person.groups.length === 0 ? 'In no group' : `In the group ${escapeHtml(person.groups.join(', '))}`}</p>
${explain === undefined ? '' : prospects(explain(person.id))}
</li>`,
  )
  return `<section aria-labelledby="people">
<h2 id="people">Three people to be</h2>
<p class="soft">Nobody here has a password. Be one of them, sign out, be another, and compare.</p>
<ul class="people" role="list">
${cards.join('\n')}
</ul>
</section>`
}

function prospects(explanation: Explanation | undefined): string {
  const scope = explanation?.scope
  if (scope === undefined) {
    return `<p><strong class="verdict no">No grant</strong></p>
<p>Gets into this app, and gets nothing from Looker.</p>`
  }
  const attributes = Object.entries(scope.userAttributes).map(([name, value]) => `${name} ${value}`)
  const asks = scope.permissions.includes('explore')
    ? 'Opens saved reports and asks questions of their own'
    : 'Opens saved reports'
  return `<p><strong class="verdict yes">Grant ${escapeHtml(scope.grant)}</strong></p>
<p>${asks}${attributes.length === 0 ? '' : `; sees ${escapeHtml(attributes.join(', '))} and nothing else`}.</p>`
}
