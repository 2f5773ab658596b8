import { FILL_IN, type Notes } from './notes.ts'
import type { Settings } from './settings.ts'
import { openPathOf } from './skip-auth.ts'

/** Restrictions of providers that no claim of theirs says. */
const UNSAYABLE = [
  'google-group',
  'gitlab-project',
  'github-org',
  'github-team',
  'github-repo',
  'github-user',
  'bitbucket-team',
  'bitbucket-repository',
]

/**
 * Who could reach what. Whatever cannot be said here is left closed, and said in the notes: a migration lets nobody in
 * whom oauth2-proxy kept out.
 * @param paths those that its upstreams answered.
 */
export function rulesOf(
  settings: Settings,
  paths: readonly string[],
  readFile: (path: string) => string | undefined,
  notes: Notes,
): object[] {
  const open = [...settings.list('skip-auth-route'), ...settings.list('skip-auth-regex')].flatMap(written => {
    const path = openPathOf(written)
    if (path === undefined)
      notes.lost.push(`skip-auth-route ${written}: no path pattern says this; write the rule yourself`)
    return path === undefined
      ? []
      : [{ paths: path.paths, ...(path.methods === undefined ? {} : { methods: path.methods }), access: 'public' }]
  })
  const preflight = settings.isOn('skip-auth-preflight')
    ? [{ paths: ['/**'], methods: ['OPTIONS'], access: 'public' }]
    : []
  return [...open, ...preflight, { paths, ...people(settings, readFile, notes) }]
}

function people(settings: Settings, readFile: (path: string) => string | undefined, notes: Notes): object {
  const unsayable = UNSAYABLE.filter(flag => settings.has(flag))
  if (unsayable.length > 0) {
    notes.toDo.push(`rules: nobody is admitted until you say who, for no claim says what ${unsayable.join(', ')} asked`)
    return { groups: [FILL_IN] }
  }
  const groups = ['allowed-group', 'keycloak-group', 'gitlab-group'].flatMap(flag => settings.list(flag))
  const claims = rolesAsClaims(settings.list('allowed-role'))
  if (Object.keys(claims).length + (groups.length > 0 ? 1 : 0) > 1) {
    notes.toDo.push(
      'rules: oauth2-proxy let in whoever had one of the groups and roles; here each kind is needed. Decide for one',
    )
  }
  const emails = emailsOf(settings, readFile, notes)
  return {
    ...(groups.length === 0 ? {} : { groups }),
    ...(emails === undefined ? {} : { emails }),
    ...(Object.keys(claims).length === 0 ? {} : { claims }),
  }
}

/** Keycloak's: `role` of the realm, or `client:role`. */
function rolesAsClaims(roles: readonly string[]): Readonly<Record<string, readonly string[]>> {
  const claims: Record<string, string[]> = {}
  for (const written of roles) {
    const [role = '', client] = written.split(':').toReversed()
    const path = client === undefined ? 'realm_access.roles' : `resource_access.${client}.roles`
    claims[path] = [...(claims[path] ?? []), role]
  }
  return claims
}

/** Undefined: any address, and none at all. */
function emailsOf(
  settings: Settings,
  readFile: (path: string) => string | undefined,
  notes: Notes,
): readonly string[] | undefined {
  const domains = settings.list('email-domain')
  if (domains.includes('*')) return undefined
  const emails = domains.filter(domain => !/^\*?\./.test(domain)).map(domain => `*@${domain.replace(/^@/, '')}`)
  if (emails.length < domains.length) {
    notes.lost.push('email-domain: subdomains cannot be meant by one entry; name each domain in emails')
  }
  const file = settings.text('authenticated-emails-file')
  if (file !== undefined) {
    const text = readFile(file)
    if (text === undefined)
      notes.toDo.push('rules: the authenticated-emails-file cannot be read here; put its addresses into emails')
    emails.push(...addressesIn(text ?? ''))
  }
  if (emails.length > 0) return emails
  notes.toDo.push('rules: nobody is admitted until you say who: put addresses, or *@your-domain, into emails')
  return [`nobody@${FILL_IN}.example.com`]
}

function addressesIn(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map(line => line.split(',', 1)[0]?.trim() ?? '')
    .filter(line => /^[^@\s#*]+@[^@\s*.][^@\s*]*$/.test(line))
}
