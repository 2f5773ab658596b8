import { parse } from 'yaml'
import { itemsAt, textAt, valueAt } from '../../config/written.ts'
import type { Values } from './settings.ts'

/** Where its alpha configuration says what its flags say; a path is dotted. */
const PROVIDER: Readonly<Record<string, string>> = {
  provider: 'provider',
  name: 'provider-display-name',
  clientID: 'client-id',
  clientSecret: 'client-secret',
  clientSecretFile: 'client-secret-file',
  caFiles: 'provider-ca-file',
  useSystemTrustStore: 'use-system-trust-store',
  loginURL: 'login-url',
  redeemURL: 'redeem-url',
  profileURL: 'profile-url',
  validateURL: 'validate-url',
  backendLogoutURL: 'backend-logout-url',
  resource: 'resource',
  scope: 'scope',
  allowedGroups: 'allowed-group',
  code_challenge_method: 'code-challenge-method',
  'oidcConfig.issuerURL': 'oidc-issuer-url',
  'oidcConfig.jwksURL': 'oidc-jwks-url',
  'oidcConfig.skipDiscovery': 'skip-oidc-discovery',
  'oidcConfig.emailClaim': 'oidc-email-claim',
  'oidcConfig.groupsClaim': 'oidc-groups-claim',
  'oidcConfig.userIDClaim': 'user-id-claim',
  'oidcConfig.audienceClaims': 'oidc-audience-claim',
  'oidcConfig.extraAudiences': 'oidc-extra-audience',
  'oidcConfig.insecureAllowUnverifiedEmail': 'insecure-oidc-allow-unverified-email',
  'oidcConfig.insecureSkipIssuerVerification': 'insecure-oidc-skip-issuer-verification',
  'oidcConfig.insecureSkipNonce': 'insecure-oidc-skip-nonce',
  'keycloakConfig.groups': 'keycloak-group',
  'keycloakConfig.roles': 'allowed-role',
  'azureConfig.tenant': 'azure-tenant',
  'azureConfig.graphGroupField': 'azure-graph-group-field',
  'microsoftEntraIDConfig.allowedTenants': 'entra-id-allowed-tenant',
  'microsoftEntraIDConfig.federatedTokenAuth': 'entra-id-federated-token-auth',
  'googleConfig.group': 'google-group',
  'gitlabConfig.group': 'gitlab-group',
  'gitlabConfig.projects': 'gitlab-project',
  'githubConfig.org': 'github-org',
  'githubConfig.team': 'github-team',
  'githubConfig.repo': 'github-repo',
  'githubConfig.users': 'github-user',
  'bitbucketConfig.team': 'bitbucket-team',
  'bitbucketConfig.repository': 'bitbucket-repository',
}
const UPSTREAM: Readonly<Record<string, string>> = {
  insecureSkipTLSVerify: 'ssl-upstream-insecure-skip-verify',
  flushInterval: 'flush-interval',
  passHostHeader: 'pass-host-header',
  proxyWebSockets: 'proxy-websockets',
  timeout: 'upstream-timeout',
}
/** Read together, or of no consequence. */
const UPSTREAM_OTHERS = new Set(['id', 'path', 'uri', 'rewriteTarget', 'static', 'staticCode'])
const ROOMS = new Set([
  'providers',
  'upstreamConfig',
  'server',
  'metricsServer',
  'injectRequestHeaders',
  'injectResponseHeaders',
])

/** Its older file is TOML; this one is YAML, and has names that keys there have not. */
export function isAlphaConfig(file: string, text: string): boolean {
  return (
    /\.ya?ml$/i.test(file) ||
    /^(?:upstreamConfig|providers|injectRequestHeaders|injectResponseHeaders|server):/m.test(text)
  )
}

/** @throws where it is no YAML; the message shows none of it, for secrets are in it. */
export function readAlphaConfig(text: string): Values {
  let document: unknown
  try {
    document = parse(text)
  } catch (error) {
    throw new Error('is not YAML', { cause: error })
  }
  const values = new Map<string, string[]>()
  const add = (flag: string, value: unknown): void => {
    const items = (Array.isArray(value) ? value : [value]).filter(item => item !== undefined && item !== null)
    if (items.length > 0) values.set(flag, [...(values.get(flag) ?? []), ...items.map(String)])
  }
  const [provider, ...more] = itemsAt(document, 'providers')
  for (const [path, value] of leavesOf(provider)) if (path !== 'id') add(PROVIDER[path] ?? `providers.${path}`, value)
  if (more.length > 0) add('providers[1]', true)
  for (const upstream of itemsAt(document, 'upstreamConfig', 'upstreams')) {
    add('upstream', upstreamOf(upstream))
    for (const [path, value] of leavesOf(upstream)) {
      if (!UPSTREAM_OTHERS.has(path)) add(UPSTREAM[path] ?? `upstreams.${path}`, value)
    }
  }
  for (const where of ['server', 'metricsServer']) {
    const flag = where === 'server' ? 'http-address' : 'metrics-address'
    for (const [path, value] of leavesOf(valueAt(document, where))) {
      if (value !== '-') add(path.toLowerCase() === 'bindaddress' ? flag : `${where}.${path}`, value)
    }
  }
  for (const where of ['injectRequestHeaders', 'injectResponseHeaders']) {
    for (const header of itemsAt(document, where)) addHeader(add, textAt(header, 'name') ?? '')
  }
  for (const [path] of leavesOf(document)) if (!ROOMS.has(path.split('.')[0] ?? '')) add(path, true)
  return values
}

/** Everything that is not a block of keys, by its dotted path. */
function leavesOf(value: unknown, path = ''): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return path === '' ? [] : [[path, value]]
  return Object.entries(value).flatMap(([key, child]) => leavesOf(child, path === '' ? key : `${path}.${key}`))
}

/** As the flag would have it: the origin of `uri` with the path that is matched. */
function upstreamOf(upstream: unknown): string {
  if (valueAt(upstream, 'static') === true) return 'static://200'
  const uri = URL.parse(textAt(upstream, 'uri') ?? '')
  const path = textAt(upstream, 'path') ?? '/'
  const isRewritten = valueAt(upstream, 'rewriteTarget') !== undefined || path.startsWith('^')
  if (uri === null || isRewritten || !['', '/'].includes(uri.pathname)) return `rewritten ${path}`
  return `${uri.origin}${path}`
}

/** Headers cannot be named here; those that its flags would have made are told of as the flags are. */
function addHeader(add: (flag: string, value: unknown) => void, name: string): void {
  const lower = name.toLowerCase()
  if (/^x-forwarded-(?:user|email|groups|preferred-username)$/.test(lower)) return
  if (lower.startsWith('x-auth-request-')) add('set-xauthrequest', true)
  else if (lower === 'x-forwarded-access-token') add('pass-access-token', true)
  else if (lower === 'authorization') add('pass-authorization-header', true)
  else add(`header ${name}`, true)
}
