import type { ClientMetadata } from 'oidc-provider'

/** The audience of every access token meant for the sidecar, whatever its format. */
export const AUDIENCE = 'sallyport'

/** Resource indicators (RFC 8707): the audience is the same, only the format of the access token differs. */
export const RESOURCES = { jwt: 'urn:sallyport', opaque: 'urn:sallyport:opaque' } as const

export type TokenFormat = keyof typeof RESOURCES

/** Secrets of a demonstration: they open nothing but this issuer. */
export const CREDENTIALS = {
  web: { clientId: 'web', clientSecret: 'demo-web-secret' },
  resourceServer: { clientId: 'sallyport-rs', clientSecret: 'demo-resource-server-secret' },
  cli: { clientId: 'demo-cli', redirectUri: 'http://127.0.0.1/callback' },
} as const

export interface WebClientOptions {
  redirectUris?: readonly string[]
  postLogoutRedirectUris?: readonly string[]
  backchannelLogoutUri?: string
}

const defaultRedirectUris = ['http://127.0.0.1:8080/sallyport/callback', 'http://localhost:8080/sallyport/callback']

/** The confidential client a sidecar signs people in with. */
export function webClient({ redirectUris = defaultRedirectUris, ...options }: WebClientOptions): ClientMetadata {
  const [first = defaultRedirectUris[0]] = redirectUris
  return {
    client_id: CREDENTIALS.web.clientId,
    client_secret: CREDENTIALS.web.clientSecret,
    client_name: 'Sallyport demo',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'client_secret_basic',
    redirect_uris: redirectUris,
    post_logout_redirect_uris:
      options.postLogoutRedirectUris ?? Array.from(new Set(redirectUris.map(uri => new URL('signed-out', uri).href))),
    backchannel_logout_uri: options.backchannelLogoutUri ?? new URL('backchannel-logout', first).href,
    backchannel_logout_session_required: true,
  }
}

/** Introspects opaque tokens (RFC 7662) and does nothing else. */
export const resourceServerClient: ClientMetadata = {
  client_id: CREDENTIALS.resourceServer.clientId,
  client_secret: CREDENTIALS.resourceServer.clientSecret,
  client_name: 'Sallyport as a resource server',
  grant_types: [],
  response_types: [],
  redirect_uris: [],
  token_endpoint_auth_method: 'client_secret_basic',
}

/** Signs in without a browser; a loopback redirect may have any port (RFC 8252 §7.3). */
export const cliClient: ClientMetadata = {
  client_id: CREDENTIALS.cli.clientId,
  client_name: 'Command line',
  application_type: 'native',
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  redirect_uris: [CREDENTIALS.cli.redirectUri],
  token_endpoint_auth_method: 'none',
}
