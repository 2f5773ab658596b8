import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  ClientSecretBasic,
  Configuration,
  None,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from 'openid-client'
import { type Browser, createBrowser, type Page } from './browser.ts'
import { CREDENTIALS } from './clients.ts'

export interface SignInOptions {
  issuer: string
  /** The id of who signs in. */
  person: string
  clientId?: string
  /** For a confidential client. */
  clientSecret?: string
  redirectUri?: string
  /** A resource indicator (RFC 8707); without one the access token is for the userinfo endpoint alone. */
  resource?: string
  scopes?: readonly string[]
  /** A browser that has been somewhere already, to sign in with an existing session. */
  browser?: Browser
  now?: () => number
}

export interface SignedIn {
  readonly accessToken: string
  readonly idToken: string
  readonly refreshToken?: string
  readonly expiresAt: Date
}

/** The authorization code flow with PKCE, state and nonce, from the first redirect to the tokens, without a screen. */
export async function signIn(options: SignInOptions): Promise<SignedIn> {
  const { issuer, person, browser = createBrowser(), now = Date.now } = options
  const { clientId = CREDENTIALS.cli.clientId, redirectUri = CREDENTIALS.cli.redirectUri } = options
  const scopes = options.scopes ?? ['openid', 'email', 'profile']

  // The endpoints are known, and discovery is left alone: tests count those requests, and break them.
  const server = { issuer, authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token` }
  const authentication = options.clientSecret === undefined ? None() : ClientSecretBasic(options.clientSecret)
  const configuration = new Configuration(server, clientId, {}, authentication)
  if (issuer.startsWith('http:')) allowInsecureRequests(configuration)

  const [codeVerifier, state, nonce] = [randomPKCECodeVerifier(), randomState(), randomNonce()]
  const authorizationUrl = buildAuthorizationUrl(configuration, {
    redirect_uri: redirectUri,
    scope: scopes.join(' '),
    state,
    nonce,
    code_challenge: await calculatePKCECodeChallenge(codeVerifier),
    code_challenge_method: 'S256',
    ...(options.resource === undefined ? {} : { resource: options.resource }),
    // OIDC Core §11: offline access is ignored unless consent is asked for.
    ...(scopes.includes('offline_access') ? { prompt: 'consent' } : {}),
  })

  const isCallback = (url: URL) => url.href.startsWith(redirectUri)
  const first = await browser.open(authorizationUrl, { stopAt: isCallback })
  const last = isCallback(first.url) ? first : await choosePerson(browser, first, person, isCallback)
  if (!isCallback(last.url)) throw new Error(`sign-in stopped at ${last.url.href} (${last.status})`)

  const askedAt = now()
  const tokens = await authorizationCodeGrant(configuration, last.url, {
    pkceCodeVerifier: codeVerifier,
    expectedState: state,
    expectedNonce: nonce,
    idTokenExpected: true,
  })
  return {
    accessToken: tokens.access_token,
    idToken: tokens.id_token ?? '',
    ...(tokens.refresh_token === undefined ? {} : { refreshToken: tokens.refresh_token }),
    expiresAt: new Date(askedAt + (tokens.expires_in ?? 0) * 1000),
  }
}

/** Presses a person's button on the sign-in page, wherever the journey to that page began, and follows where it leads. */
export function choosePerson(
  browser: Browser,
  page: Page,
  person: string,
  stopAt?: (url: URL) => boolean,
): Promise<Page> {
  return browser.submit(page, { person }, stopAt ? { stopAt } : {})
}
