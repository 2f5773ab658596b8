import { hash, timingSafeEqual } from 'node:crypto'
import * as oidc from 'openid-client'
import type { Clock } from '../core/clock.ts'
import type { Claims } from '../core/identity.ts'
import type { Secret } from '../core/secret.ts'
import { exchangeCode, renewTokens } from './issued-tokens.ts'
import { createLoginClient, type LoginClient, type LoginIssuer } from './login-client.ts'
import type { SignedIn } from './session-record.ts'
import { isInvalidGrant, refusalOf, signInFailed } from './sign-in-refusal.ts'
import { offlineParameters } from './tokens-for-looker.ts'

/** How long a person may take at the issuer. */
const SIGN_IN_MILLISECONDS = 10 * 60_000
const STATE = /^[\w-]{16,128}$/

interface Place {
  readonly kind: string
  readonly owner: string
}

/** The part of the vault that is used here. */
export interface SignInVault {
  read<T>(place: Place, parse: (value: unknown) => T | undefined): Promise<T | undefined>
  write(place: Place, value: unknown, ttlMilliseconds: number): Promise<void>
  /** Reads and removes in one step: of two who ask, one gets it. */
  take<T>(place: Place, parse: (value: unknown) => T | undefined): Promise<T | undefined>
}

export interface SignInOptions {
  readonly issuers: readonly LoginIssuer[]
  readonly vault: SignInVault
  readonly clock: Clock
  /** The `redirect_uri`. */
  readonly callbackUrl: string
  /** The `post_logout_redirect_uri`. */
  readonly signedOutUrl: string
}

/** A sign-in whose answer has come, and which cannot be answered again. */
export interface PendingSignIn {
  readonly returnTo: string
  /** @throws {Refusal} `sign-in-failed` or `issuer-unavailable`. */
  finish(): Promise<SignedIn>
}

/** The authorization code flow (OpenID Connect Core §3.1) with PKCE (RFC 7636), as RFC 9700 asks for it. */
export interface SignIn {
  /** The names of the issuers that people may choose from. */
  readonly issuers: readonly string[]
  /**
   * @param browserSecret known to this browser alone: the answer counts from nobody else.
   * @returns where the browser goes now.
   * @throws {Refusal} `issuer-unavailable` or `store-unavailable`.
   */
  begin(wish: { issuer: string; returnTo: string; browserSecret: string }): Promise<string>
  /**
   * @param query what the issuer put behind the callback URL.
   * @param browserSecrets those that this browser knows.
   * @throws {Refusal} `sign-in-failed` where this browser did not begin it or it is over; the issuer has not been asked by then.
   */
  resume(query: string, browserSecrets: readonly string[]): Promise<PendingSignIn>
  /**
   * New tokens, and the claims as they are now.
   * @param claims those before, which go on to count where the issuer gives new tokens and then cannot be asked for more.
   * @returns `ended` where the issuer says `invalid_grant`. @throws {Refusal} for all else.
   */
  refresh(issuer: string, tokens: SignedIn['tokens'], subject: string, claims?: Claims): Promise<SignedIn | 'ended'>
  /** Where the browser goes to sign out at the issuer (RP-Initiated Logout 1.0); undefined where it has no such place. */
  endSessionUrl(issuer: string, idToken: Secret): string | undefined
}

interface Transaction {
  readonly issuer: string
  readonly nonce: string
  readonly codeVerifier: string
  readonly returnTo: string
  /** The hash of the browser's secret. */
  readonly browser: string
}

export function createSignIn(options: SignInOptions): SignIn {
  const { vault, clock } = options
  const clients = new Map(options.issuers.map(entry => [entry.issuer.options.name, createLoginClient(entry)]))
  const clientOf = (name: string): LoginClient => {
    const client = clients.get(name)
    // The configuration changed since: an issuer that people can no longer sign in with.
    if (client === undefined) throw signInFailed('unknown-state')
    return client
  }

  return {
    issuers: [...clients.keys()],
    async begin({ issuer: name, returnTo, browserSecret }) {
      const { configuration, login, issuer, forLooker } = clientOf(name)
      const client = configuration()
      const [state, nonce, codeVerifier] = [oidc.randomState(), oidc.randomNonce(), oidc.randomPKCECodeVerifier()]
      const parameters = {
        redirect_uri: options.callbackUrl,
        ...(forLooker === undefined
          ? { scope: login.scopes.join(' ') }
          : offlineParameters(issuer.options.issuer, login.scopes)),
        state,
        nonce,
        code_challenge: await oidc.calculatePKCECodeChallenge(codeVerifier),
        code_challenge_method: 'S256',
      }
      const transaction: Transaction = { issuer: name, nonce, codeVerifier, returnTo, browser: hashOf(browserSecret) }
      await vault.write(placeOf(state), transaction, SIGN_IN_MILLISECONDS)
      try {
        return oidc.buildAuthorizationUrl(client, parameters).href
      } catch (error) {
        throw refusalOf(error, issuer)
      }
    },
    async resume(query, browserSecrets) {
      const [state, ...more] = new URLSearchParams(query).getAll('state')
      if (state === undefined || more.length > 0 || !STATE.test(state)) throw signInFailed('unknown-state')
      const found = await vault.read(placeOf(state), parseTransaction)
      // RFC 9700 §4.7.1: an answer that another browser asked for would sign this one in as somebody else.
      if (found === undefined || !browserSecrets.some(secret => isHashOf(found.browser, secret))) {
        throw signInFailed('unknown-state')
      }
      const transaction = await vault.take(placeOf(state), parseTransaction)
      if (transaction === undefined) throw signInFailed('unknown-state')
      const client = clientOf(transaction.issuer)
      const url = new URL(options.callbackUrl)
      url.search = query
      return {
        returnTo: transaction.returnTo,
        async finish() {
          try {
            return await exchangeCode(client, url, { ...transaction, state }, clock)
          } catch (error) {
            throw refusalOf(error, client.issuer)
          }
        },
      }
    },
    async refresh(name, { idToken, accessToken, refreshToken, refreshExpiresAt }, _subject, claims) {
      const client = clientOf(name)
      if (refreshToken === undefined) throw new Error('there is no refresh token')
      try {
        const before = {
          idToken: idToken.reveal(),
          refreshToken: refreshToken.reveal(),
          refreshExpiresAt,
          good: accessToken !== undefined,
          claims,
        }
        return await renewTokens(client, before, clock)
      } catch (error) {
        if (isInvalidGrant(error)) return 'ended'
        throw refusalOf(error, client.issuer)
      }
    },
    endSessionUrl(name, idToken) {
      const client = clients.get(name)
      // An issuer that is away would not sign anybody out either.
      if (client?.issuer.configuration()?.serverMetadata().end_session_endpoint === undefined) return undefined
      return oidc.buildEndSessionUrl(client.configuration(), {
        id_token_hint: idToken.reveal(),
        post_logout_redirect_uri: options.signedOutUrl,
      }).href
    },
  }
}

function placeOf(state: string): Place {
  return { kind: 'login', owner: state }
}

function hashOf(secret: string): string {
  return hash('sha256', secret, 'base64url')
}

function isHashOf(expected: string, secret: string): boolean {
  const [one, other] = [Buffer.from(expected), Buffer.from(hashOf(secret))]
  return one.length === other.length && timingSafeEqual(one, other)
}

function parseTransaction(value: unknown): Transaction | undefined {
  const { issuer, nonce, codeVerifier, returnTo, browser } = value as Record<string, unknown>
  const members = [issuer, nonce, codeVerifier, returnTo, browser]
  return members.every(member => typeof member === 'string') ? (value as Transaction) : undefined
}
