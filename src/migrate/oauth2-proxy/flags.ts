/**
 * Every flag of oauth2-proxy (v7, and what of v5 and v6 is still met) and what becomes of it here.
 * `mapped`: translate.ts and its neighbours read it. `moot`: there is nothing to set, because what it asks for is so
 * anyway or its subject does not exist. Otherwise there is no equivalent, and it says what to do instead.
 */
export interface Flag {
  readonly kind: 'bool' | 'text' | 'list'
  readonly fate:
    | 'mapped'
    | 'moot'
    | { readonly instead: string /** Values that lose nothing. */; readonly unless: readonly string[] }
}

type Table = Readonly<Record<string, Flag>>

function mapped(kind: Flag['kind'], ...names: string[]): Table {
  return Object.fromEntries(names.map(name => [name, { kind, fate: 'mapped' }]))
}

function moot(kind: Flag['kind'], ...names: string[]): Table {
  return Object.fromEntries(names.map(name => [name, { kind, fate: 'moot' }]))
}

function none(kind: Flag['kind'], names: string, instead: string, ...unless: string[]): Table {
  return Object.fromEntries(names.split(' ').map(name => [name, { kind, fate: { instead, unless } }]))
}

const PROVIDER: Table = {
  ...mapped('text', 'provider', 'oidc-issuer-url', 'client-id', 'client-secret', 'client-secret-file', 'scope'),
  ...mapped('text', 'oidc-email-claim', 'oidc-groups-claim', 'user-id-claim', 'azure-tenant'),
  ...mapped('list', 'provider-ca-file', 'oidc-extra-audience', 'allowed-group', 'allowed-role', 'keycloak-group'),
  ...mapped('list', 'google-group', 'gitlab-group', 'gitlab-project', 'github-user'),
  ...mapped('text', 'github-org', 'github-team', 'github-repo', 'bitbucket-team', 'bitbucket-repository'),
  ...moot('text', 'provider-display-name', 'approval-prompt', 'code-challenge-method', 'force-code-challenge-method'),
  ...moot('bool', 'insecure-oidc-skip-nonce', 'skip-claims-from-profile-url'),
  ...none(
    'text',
    'oidc-jwks-url login-url redeem-url profile-url validate-url',
    'read from the issuer’s discovery document; nothing is lost where that says the same',
  ),
  ...none('bool', 'skip-oidc-discovery', 'the issuer has to publish /.well-known/openid-configuration', 'false'),
  ...none('list', 'oidc-public-key-file', 'keys come from the issuer’s jwks_uri alone'),
  ...none('list', 'oidc-audience-claim', 'the audience is read from aud alone', 'aud'),
  ...none(
    'bool',
    'use-system-trust-store',
    'caFile replaces the system’s CAs; put all that are needed into it',
    'false',
  ),
  ...none(
    'bool',
    'insecure-oidc-allow-unverified-email',
    'an unverified address counts as none; have the issuer verify it, or admit by group',
    'false',
  ),
  ...none(
    'bool',
    'insecure-oidc-skip-issuer-verification',
    'iss is always compared; name each issuer under issuers (at Entra one a tenant)',
    'false',
  ),
  ...none('text', 'prompt acr-values resource', 'not sent; set it for this client at the issuer', ''),
  ...none('text', 'azure-graph-group-field', 'groups are read from the token; choose there what it says', ''),
  ...none('list', 'entra-id-allowed-tenant', 'name an issuer for each tenant under issuers'),
  ...none('bool', 'entra-id-federated-token-auth', 'the client needs a secret at Entra', 'false'),
  ...none(
    'text',
    'google-admin-email google-service-account-json google-use-application-default-credentials google-target-principal',
    'groups come from tokens, and Google’s have none; admit by e-mail, or sign in through an issuer that adds them',
  ),
  ...none('text', 'jwt-key jwt-key-file pubjwk-url', 'clients authenticate with a secret; private keys are not built'),
  ...none('text', 'github-token', 'GitHub is no OpenID Connect issuer'),
  ...none(
    'text',
    'backend-logout-url',
    'signing out goes on to the end-session endpoint that the issuer’s discovery names',
  ),
}

const COOKIE: Table = {
  ...mapped('text', 'cookie-expire'),
  ...moot('text', 'cookie-name', 'cookie-secret', 'cookie-secret-file', 'cookie-refresh', 'cookie-csrf-expire'),
  ...moot('text', 'cookie-csrf-per-request-limit', 'cookie-csrf-samesite'),
  ...moot('bool', 'cookie-csrf-per-request', 'session-cookie-minimal'),
  ...none('list', 'cookie-domain', 'the cookie is this host’s alone; other hosts sign in silently at the issuer'),
  ...none('text', 'cookie-path', 'the cookie’s path is always /', '/'),
  ...none('bool', 'cookie-secure', 'Secure is set wherever publicUrl is https', 'true'),
  ...none('bool', 'cookie-httponly', 'HttpOnly is always set', 'true'),
  ...none('text', 'cookie-samesite', 'always Lax: an app in another site’s frame cannot sign in', 'lax', ''),
}

const HEADERS: Table = {
  ...moot('bool', 'pass-basic-auth'),
  ...none('bool', 'pass-user-headers skip-auth-strip-headers', 'the identity headers are always ours', 'true'),
  ...none('bool', 'pass-host-header', 'the app always gets the Host that the client sent', 'true'),
  ...none('bool', 'prefer-email-to-user', 'X-Forwarded-User is the subject; the app reads X-Forwarded-Email', 'false'),
  ...none('text', 'basic-auth-password', 'the app checks X-Sallyport-Assertion instead of a shared password'),
  ...none('bool', 'set-basic-auth', 'the app checks X-Sallyport-Assertion instead of a shared password', 'false'),
  ...none(
    'bool',
    'pass-access-token pass-authorization-header set-authorization-header',
    'the app does not get people’s tokens: it checks X-Sallyport-Assertion, and for Looker asks {prefix}/looker/token',
    'false',
  ),
  ...none(
    'bool',
    'set-xauthrequest',
    '{prefix}/check answers X-Forwarded-User, -Email, -Groups, -Preferred-Username: change X-Auth-Request-* in the ingress',
    'false',
  ),
}

const LOGGING: Table = {
  ...moot('bool', 'auth-logging', 'request-logging', 'standard-logging', 'errors-to-info-log', 'silence-ping-logging'),
  ...moot('bool', 'logging-compress', 'logging-local-time'),
  ...moot('text', 'logging-max-age', 'logging-max-backups', 'logging-max-size'),
  ...moot('text', 'auth-logging-format', 'request-logging-format', 'standard-logging-format'),
  ...moot('list', 'exclude-logging-path'),
  ...none(
    'text',
    'logging-filename',
    'the log is JSON on standard output; audit.file is a file for the audit lines',
    '',
  ),
  ...none('text', 'request-id-header', 'always X-Request-Id', 'X-Request-Id', ''),
}

const PAGES: Table = {
  ...moot('bool', 'display-htpasswd-form', 'show-debug-on-error', 'skip-provider-button'),
  ...none(
    'text',
    'banner footer custom-templates-dir custom-sign-in-logo',
    'there is no sign-in page: people go straight to the issuer, whose page can be adorned',
    '-',
  ),
}

const PROXY: Table = {
  ...mapped(
    'list',
    'email-domain',
    'extra-jwt-issuers',
    'skip-auth-regex',
    'skip-auth-route',
    'trusted-proxy-ip',
    'upstream',
  ),
  ...mapped('text', 'authenticated-emails-file', 'proxy-prefix', 'redirect-url', 'http-address', 'metrics-address'),
  ...mapped('text', 'upstream-timeout', 'ping-path', 'ready-path'),
  ...mapped('bool', 'skip-jwt-bearer-tokens', 'skip-auth-preflight', 'reverse-proxy', 'relative-redirect-url'),
  ...moot('list', 'api-route'),
  ...moot('text', 'flush-interval'),
  ...moot('bool', 'allow-query-semicolons', 'encode-state', 'force-json-errors', 'bearer-token-login-fallback'),
  ...none('bool', 'force-https', 'redirect http to https at the ingress', 'false'),
  ...none(
    'text',
    'htpasswd-file',
    'there are no passwords here: such callers get a client at the issuer, and a bearer',
    '',
  ),
  ...none(
    'list',
    'htpasswd-user-group',
    'there are no passwords here: such callers get a client at the issuer, and a bearer',
  ),
  ...none('text', 'real-client-ip-header', 'X-Forwarded-For alone, from server.trustedProxies', 'X-Forwarded-For', ''),
  ...none(
    'list',
    'trusted-ip',
    'an address is nobody’s identity: give such callers a bearer, or a path that is public',
  ),
  ...none('text', 'signature-key', 'the app checks X-Sallyport-Assertion, which is signed with a key of ours', ''),
  ...none(
    'bool',
    'ssl-insecure-skip-verify',
    'certificates are always checked; name the CA in issuers[].caFile',
    'false',
  ),
  ...none(
    'bool',
    'ssl-upstream-insecure-skip-verify',
    'certificates are always checked; name the CA in app.caFile',
    'false',
  ),
  ...none('bool', 'proxy-websockets', 'WebSockets are always proxied', 'true'),
  ...none('list', 'whitelist-domain', 'after signing in people come back to this origin, and to no other'),
  ...none('text', 'ping-user-agent', 'a User-Agent opens nothing: probe /livez on server.admin', ''),
  ...none('bool', 'gcp-healthchecks', 'probe /livez on server.admin', 'false'),
  ...none(
    'text',
    'https-address tls-cert-file tls-key-file tls-min-version metrics-secure-address metrics-tls-cert-file metrics-tls-key-file',
    'TLS ends at the ingress; Sallyport listens in plain http behind it',
    ':443',
  ),
  ...none('list', 'tls-cipher-suite', 'TLS ends at the ingress; Sallyport listens in plain http behind it'),
}

const STORE: Table = {
  ...mapped('text', 'session-store-type', 'redis-connection-url', 'redis-username', 'redis-password', 'redis-ca-path'),
  ...mapped('text', 'redis-sentinel-master-name'),
  ...mapped('bool', 'redis-use-sentinel', 'redis-use-cluster'),
  ...mapped('list', 'redis-sentinel-connection-urls', 'redis-cluster-connection-urls'),
  ...moot('text', 'redis-connection-idle-timeout'),
  ...none('text', 'redis-sentinel-password', 'the Sentinels are asked without a password'),
  ...none('bool', 'redis-insecure-skip-tls-verify', 'certificates are always checked: store.redis.caFile', 'false'),
  ...none('bool', 'redis-use-iam-auth redis-iam-serverless', 'Redis is reached with a password', 'false'),
  ...none(
    'text',
    'redis-iam-user-id redis-iam-replication-group-id redis-iam-region',
    'Redis is reached with a password',
  ),
}

export const FLAGS: Table = { ...PROVIDER, ...COOKIE, ...HEADERS, ...LOGGING, ...PAGES, ...PROXY, ...STORE }
