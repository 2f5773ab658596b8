import * as oidc from 'openid-client'
import type { SecretSource } from '../core/secret.ts'
import { CLOCK_SKEW_SECONDS } from './claims.ts'
import { issuerUnavailable } from './introspection.ts'
import type { Issuer } from './issuer.ts'
import type { ForLooker } from './tokens-for-looker.ts'

/** An issuer that people may sign in with. */
export interface LoginIssuer {
  readonly issuer: Issuer
  readonly login: {
    readonly clientId: string
    /** Absent: a public client, which PKCE alone protects. */
    readonly clientSecret: SecretSource | undefined
    readonly scopes: readonly string[]
  }
  /** Absent: the access token is nobody’s once the sign-in is over. */
  readonly forLooker?: ForLooker | undefined
}

/** The OAuth client that people sign in with; it shares the issuer's discovery, deadlines and CA. */
export interface LoginClient extends LoginIssuer {
  /** @throws {Refusal} `issuer-unavailable` until the issuer was discovered. */
  configuration(): oidc.Configuration
}

export function createLoginClient({ issuer, login, forLooker }: LoginIssuer): LoginClient {
  let made: { readonly from: oidc.Configuration; readonly configuration: oidc.Configuration } | undefined
  return {
    issuer,
    login,
    forLooker,
    configuration() {
      const from = issuer.configuration()
      if (from === undefined) throw issuerUnavailable(issuer.options.name)
      if (made?.from !== from) made = { from, configuration: configure(from, issuer, login) }
      return made.configuration
    },
  }
}

function configure(from: oidc.Configuration, issuer: Issuer, login: LoginIssuer['login']): oidc.Configuration {
  const server: oidc.ServerMetadata = from.serverMetadata()
  const configuration = new oidc.Configuration(
    // One list of algorithms for every token of the issuer, whatever it says of itself.
    { ...server, id_token_signing_alg_values_supported: [...issuer.options.algorithms] },
    login.clientId,
    { [oidc.clockTolerance]: CLOCK_SKEW_SECONDS },
    authentication(server, login.clientSecret),
  )
  const fetch = from[oidc.customFetch]
  if (fetch !== undefined) configuration[oidc.customFetch] = fetch
  if (issuer.options.issuer.startsWith('http:')) oidc.allowInsecureRequests(configuration)
  return configuration
}

function authentication(server: oidc.ServerMetadata, secret: SecretSource | undefined): oidc.ClientAuth {
  if (secret === undefined) return oidc.None()
  // RFC 8414 §2: an issuer that does not say takes the header.
  const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic']
  const method = methods.includes('client_secret_basic') ? oidc.ClientSecretBasic : oidc.ClientSecretPost
  // The secret is asked for at each call, so that a rotated one counts at once.
  return (...call) => method(secret.current().reveal())(...call)
}
