import * as oidc from 'openid-client'
import type { Clock } from '../core/clock.ts'
import { type Claims, claimAt } from '../core/identity.ts'
import { Refusal } from '../core/failure.ts'
import { Secret } from '../core/secret.ts'
import { identityFromClaims, reject } from './claims.ts'
import { claimsOf, verifyIdToken } from './id-token.ts'
import type { Issuer } from './issuer.ts'
import type { LoginClient } from './login-client.ts'
import type { SignedIn } from './session-record.ts'
import { refusalOf } from './sign-in-refusal.ts'
import { refreshTokenEnd, scopesForLooker, tokenForLooker } from './tokens-for-looker.ts'

/** Members of an ID token that say what it is, not who the person is. */
const OF_THE_TOKEN = new Set(['iss', 'sub', 'aud', 'exp', 'iat', 'nbf', 'sid', 'nonce', 'azp'])

/**
 * Exchanges the code of an answer for tokens, and reads from them who it is (OpenID Connect Core §3.1.3).
 * @param url the callback URL with the answer in its query; `state` and `iss` (RFC 9207) are held to what they have to be first.
 */
export async function exchangeCode(
  client: LoginClient,
  url: URL,
  { state, nonce, codeVerifier }: { state: string; nonce: string; codeVerifier: string },
  clock: Clock,
): Promise<SignedIn> {
  const { issuer, login } = client
  const configuration = client.configuration()
  const askedAt = clock.now()
  const answer = await oidc.authorizationCodeGrant(configuration, url, {
    expectedState: state,
    expectedNonce: nonce,
    pkceCodeVerifier: codeVerifier,
    idTokenExpected: true,
  })
  const { access_token: accessToken, id_token: idToken = '' } = answer
  const { clientId } = login
  const said = await verifyIdToken(idToken, { issuer, clientId, accessToken, nonces: [nonce], clock })
  const claims = says(said, issuer) ? said : { ...(await userInfo(configuration, accessToken, said)), ...said }
  // Whom the configuration cannot make a person of has not signed in.
  identityFromClaims(claims, issuer.options, 'session', askedAt)
  return signedIn(client, claims, answer, askedAt, idToken)
}

/** What a session has of its issuer when its tokens are to be renewed. */
export interface BeforeRenewal {
  /** It was verified when it came. */
  readonly idToken: string
  readonly refreshToken: string
  readonly refreshExpiresAt: number | undefined
  /** Whether the access token was good for Looker. */
  readonly good: boolean
  readonly claims: Claims | undefined
}

/** Gets new tokens, and the claims as they are now (OpenID Connect Core §12). */
export async function renewTokens(client: LoginClient, before: BeforeRenewal, clock: Clock): Promise<SignedIn> {
  const { issuer, login } = client
  const configuration = client.configuration()
  const askedAt = clock.now()
  const answer = await oidc.refreshTokenGrant(configuration, before.refreshToken)
  const { access_token: accessToken, id_token: idToken } = answer
  // The refresh token may be spent by now. So what came for it is kept, and whoever cannot be asked more about is as before.
  const verified = claimsOf(before.idToken)
  const known = before.claims ?? verified
  const askMore = (said: Claims): Promise<Claims> =>
    userInfo(configuration, accessToken, said).catch((error: unknown) => {
      const refusal = refusalOf(error, issuer)
      // One that could not be reached has been told of.
      if (refusal.failure.kind !== 'issuer-unavailable') issuer.options.report(refusal.cause)
      return known
    })
  if (idToken !== undefined) {
    // §12.2: the same person, and the nonce of the sign-in or none.
    const nonces = [undefined, verified['nonce'] as string | undefined]
    const { clientId } = login
    const said = await verifyIdToken(idToken, { issuer, clientId, accessToken, nonces, clock }).catch(unlessUnavailable)
    if (said !== undefined) {
      if (said['sub'] !== verified['sub']) throw reject('bad-claim', 'sub is not who signed in')
      const claims = says(said, issuer) ? said : { ...(await askMore(said)), ...said }
      return signedIn(client, claims, answer, askedAt, idToken, before)
    }
  }
  // Only userinfo can tell what has changed, so it lies above what was said before.
  const more = await askMore(verified)
  // What it said before and says no longer (the last group of somebody) is over.
  const claims = { ...(more === known ? known : verified), ...more, ...ofTheToken(verified) }
  return signedIn(client, claims, answer, askedAt, before.idToken, before)
}

/** Without the issuer's keys a new ID token says nothing yet. */
function unlessUnavailable(error: unknown): undefined {
  if (error instanceof Refusal && error.failure.kind === 'issuer-unavailable') return undefined
  throw error
}

/** Whether the ID token has what rules and grants go by: some issuers keep it short, and say the rest at userinfo. */
function says(claims: Claims, { options }: Issuer): boolean {
  const { subject, email, groups } = options.claims
  return [subject, email, groups].every(path => claimAt(claims, path) !== undefined)
}

/** OpenID Connect Core §5.3; nothing where the issuer has no such endpoint. */
async function userInfo(client: oidc.Configuration, accessToken: string, claims: Claims): Promise<Claims> {
  if (client.serverMetadata().userinfo_endpoint === undefined) return {}
  try {
    // §5.3.2: what is said of another subject is not about this person.
    return await oidc.fetchUserInfo(client, accessToken, String(claims['sub']))
  } catch (error) {
    if (!(error instanceof oidc.WWWAuthenticateChallengeError)) throw error
    throw reject('inactive', 'the issuer does not accept its own access token')
  }
}

function ofTheToken(claims: Claims): Claims {
  return Object.fromEntries(Object.entries(claims).filter(([name]) => OF_THE_TOKEN.has(name)))
}

function signedIn(
  { issuer: { options }, login, forLooker }: LoginClient,
  claims: Claims,
  answer: oidc.TokenEndpointResponse,
  askedAt: number,
  idToken: string,
  before?: BeforeRenewal,
): SignedIn {
  // RFC 6749 §6: an issuer that gives no new refresh token means the one before.
  const refreshToken = answer.refresh_token ?? before?.refreshToken
  const endBefore = refreshToken === before?.refreshToken ? before?.refreshExpiresAt : undefined
  return {
    issuer: options.name,
    claims,
    tokens: {
      idToken: new Secret(idToken),
      accessToken:
        forLooker && tokenForLooker(forLooker, scopesForLooker(options.issuer, login.scopes), answer, before),
      refreshToken: refreshToken === undefined ? undefined : new Secret(refreshToken),
      expiresAt: answer.expires_in === undefined ? undefined : askedAt + answer.expires_in * 1000,
      refreshExpiresAt: refreshTokenEnd(answer, askedAt) ?? endBefore,
    },
  }
}
