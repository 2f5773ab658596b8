const SHOWN = 10

/** What the operations of Sallyport itself are for; all others are the app's. */
const MEANINGS: Readonly<Record<string, string>> = {
  'GET /sallyport/login': 'Begins to sign in',
  'GET /sallyport/callback': 'Signs in',
  'POST /sallyport/logout': 'Signs out',
  'POST /sallyport/backchannel-logout': 'Signed out by the issuer',
  'POST /sallyport/token': 'Exchanges a token',
  'POST /sallyport/looker/token': 'Asks for a Looker token',
  'DELETE /sallyport/looker/token': 'Gives a Looker token back',
  'GET /sallyport/looker/embed/session': 'Begins to embed',
  'POST /sallyport/looker/embed/session': 'Begins to embed',
  'PUT /sallyport/looker/embed/tokens': 'Renews embed tokens',
  'DELETE /sallyport/looker/embed/session': 'Ends embedding',
  'GET /sallyport/session': 'Asks who is signed in',
}
/** What looking at the pages makes by itself. */
const UNSEEN = new Set(['GET /now', 'GET /sallyport/client.js'])
/** These say only that what decided did decide. */
const PLAIN_REASONS = new Set(['grant', 'rule', 'endpoint'])

/** One audit line, for people to read. */
export interface AuditEntry {
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly who: string
  readonly what: string
  readonly operation: string
  readonly decision: string
  readonly why: string
}

interface Line {
  readonly time: number
  readonly metadata: { readonly uid: string }
  readonly actor: { readonly user: { readonly uid: string; readonly name?: string } }
  readonly api: { readonly operation: string }
  readonly status_detail: string
  readonly unmapped: { readonly decision: string; readonly rule?: string; readonly grant?: string }
}

/** The last lines, newest first, without those that looking at them makes. */
export function lastAuditEntries(lines: readonly string[]): AuditEntry[] {
  const entries: AuditEntry[] = []
  for (const text of lines.toReversed()) {
    const line = JSON.parse(text) as Line
    const { operation } = line.api
    if (UNSEEN.has(operation) || operation.startsWith('GET /assets/')) continue
    entries.push(entryOf(line))
    if (entries.length === SHOWN) break
  }
  return entries
}

function entryOf({ time, metadata, actor, api, status_detail: reason, unmapped }: Line): AuditEntry {
  const { decision, rule, grant } = unmapped
  // What decided: a grant where a token was asked for, otherwise a rule.
  const by = grant === undefined ? rule : `grant ${grant}`
  const why = [PLAIN_REASONS.has(reason) ? '' : reason, by === 'endpoint' ? '' : by]
  return {
    id: metadata.uid,
    time,
    who: actor.user.name ?? actor.user.uid,
    what: MEANINGS[api.operation] ?? 'Uses the app',
    operation: api.operation,
    decision,
    why: why.filter(Boolean).join(', '),
  }
}
