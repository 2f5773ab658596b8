import { isLoopback } from '../../config/values.ts'
import { FILL_IN, type Notes } from './notes.ts'
import type { Settings } from './settings.ts'

const CLIENT_SECRET = 'OAUTH2_PROXY_CLIENT_SECRET'
/** Environment variables are its third way of configuration; this one is read where the file and the flags do not say. */
const CLIENT_ID = `\${OAUTH2_PROXY_CLIENT_ID}`

/** Providers that are OpenID Connect, by the name that their issuer gets here. */
const OPENID: Readonly<Record<string, string>> = {
  oidc: 'oidc',
  'keycloak-oidc': 'keycloak',
  google: 'google',
  'entra-id': 'entra',
  azure: 'entra',
  adfs: 'adfs',
  gitlab: 'gitlab',
  cidaas: 'cidaas',
  'login.gov': 'login-gov',
}

export function issuersOf(settings: Settings, notes: Notes): object[] {
  const takesBearers = settings.isOn('skip-jwt-bearer-tokens')
  const clientId = settings.text('client-id') ?? CLIENT_ID
  if (clientId === CLIENT_ID)
    notes.toDo.push('client-id was not given: the variable OAUTH2_PROXY_CLIENT_ID has to say it')
  const issuer = issuerUrl(settings, notes)
  const first = {
    name: OPENID[settings.text('provider') ?? 'google'] ?? 'sso',
    issuer,
    ...(issuer.startsWith('http:') && !isLoopback(issuer) ? { allowInsecureHttp: true } : {}),
    audiences: [...new Set([clientId, ...settings.list('oidc-extra-audience')])],
    // oauth2-proxy took ID tokens for bearers, and often gets them.
    ...(takesBearers ? { allowIdTokens: true } : {}),
    ...claims(settings),
    login: { clientId, clientSecret: clientSecret(settings, notes), scopes: scopes(settings) },
    ...caFile(settings, notes),
  }
  return takesBearers ? [first, ...extraIssuers(settings)] : [first]
}

function issuerUrl(settings: Settings, notes: Notes): string {
  const provider = settings.text('provider') ?? 'google'
  const given = settings.text('oidc-issuer-url')
  const tenant = settings.text('azure-tenant')
  if (OPENID[provider] === undefined) {
    notes.toDo.push(
      `provider ${provider} is no OpenID Connect issuer: put one between (Dex, Keycloak) or in its place, and name it in issuers[0].issuer`,
    )
    return `https://${FILL_IN}.example.com`
  }
  if (given !== undefined) return given
  if (provider === 'google') return 'https://accounts.google.com'
  if (provider === 'gitlab') return 'https://gitlab.com'
  if (OPENID[provider] === 'entra' && tenant !== undefined && !/^(common|organizations|consumers)$/.test(tenant)) {
    return `https://login.microsoftonline.com/${tenant}/v2.0`
  }
  notes.toDo.push(
    'issuers[0].issuer: oidc-issuer-url was not given; an issuer is named exactly as its tokens say in iss',
  )
  return `https://${FILL_IN}.example.com`
}

function claims(settings: Settings): object {
  // The older name for the same, which counts where the newer one does not say.
  const email = settings.text('oidc-email-claim') ?? settings.text('user-id-claim')
  const groups = settings.text('oidc-groups-claim')
  const given = {
    ...(email === undefined || email === 'email' ? {} : { email }),
    ...(groups === undefined || groups === 'groups' ? {} : { groups }),
  }
  return Object.keys(given).length === 0 ? {} : { claims: given }
}

function clientSecret(settings: Settings, notes: Notes): object {
  const file = settings.text('client-secret-file')
  if (settings.has('client-secret')) {
    notes.toDo.push(`client-secret: put it into the variable ${CLIENT_SECRET}, or into a file and say fromFile`)
  } else if (file !== undefined) return { fromFile: file }
  else notes.toDo.push(`client-secret was not given: the variable ${CLIENT_SECRET} has to say it`)
  return { fromEnv: CLIENT_SECRET }
}

function scopes(settings: Settings): readonly string[] {
  const given = settings.text('scope')?.split(/\s+/).filter(Boolean)
  // Of itself oauth2-proxy asked for the groups that it was to look for.
  const usual = ['openid', 'email', 'profile', ...(settings.has('allowed-group') ? ['groups'] : [])]
  return given === undefined ? usual : [...new Set(['openid', ...given])]
}

function caFile(settings: Settings, notes: Notes): object {
  const [first, ...more] = settings.list('provider-ca-file')
  if (more.length > 0) notes.toDo.push('issuers[0].caFile: there was more than one; put all of them into this file')
  return first === undefined ? {} : { caFile: first }
}

/** `extra-jwt-issuers`: pairs of `issuer=audience`. */
function extraIssuers(settings: Settings): object[] {
  const audiences = new Map<string, string[]>()
  for (const pair of settings.list('extra-jwt-issuers')) {
    const at = pair.lastIndexOf('=')
    const [issuer, audience] = [pair.slice(0, at), pair.slice(at + 1)]
    if (at > 0) audiences.set(issuer, [...(audiences.get(issuer) ?? []), audience])
  }
  return [...audiences].map(([issuer, values], index) => ({
    name: `bearers-${index + 1}`,
    issuer,
    audiences: values,
    allowIdTokens: true,
  }))
}
