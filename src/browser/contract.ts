import type { IAuthSession } from '@looker/sdk-rtl'

/** What `POST {prefix}/looker/token` answers. */
export interface LookerToken {
  readonly access_token: string
  readonly token_type: 'Bearer'
  /** Seconds that are left. */
  readonly expires_in: number
  readonly expires_at: string
  /** Origin of Looker's API, without `/api/4.0`. */
  readonly base_url: string
  readonly looker_user_id: string
  readonly grant: string
}

/** A problem document (RFC 9457). */
export interface Problem {
  readonly type?: string
  readonly detail?: string
  readonly instance?: string
}

/** Tokens of an embed session, as Looker names them; each `_ttl` is in seconds. */
export interface EmbedTokens {
  readonly authentication_token?: string
  readonly authentication_token_ttl?: number
  readonly navigation_token?: string | null
  readonly navigation_token_ttl?: number
  readonly api_token?: string | null
  readonly api_token_ttl?: number
  readonly session_reference_token_ttl: number
}

/** What is used of `getEmbedSDK()` of `@looker/embed-sdk`. */
export interface EmbedSdk {
  initCookieless(host: string, acquire: () => Promise<EmbedTokens>, generate: () => Promise<EmbedTokens>): void
  clearSession(): void
}

export interface LookerOptions {
  /** Where Sallyport's endpoints are. */
  readonly prefix?: string | undefined
  /** Where Looker's pages are; only `embed` needs it, and only where this module did not come from Sallyport. */
  readonly lookerUrl?: string | undefined
}

/**
 * Looker as the person who is signed in.
 * Events: `signInNeeded` once the session is over, before the call that noticed rejects with a `SallyportError` of
 * status 401; `embedExpired` once an embed session is over and the frames can be loaded again.
 */
export interface Looker extends EventTarget {
  /** The person's token, kept in memory and nowhere else. @throws {SallyportError} */
  getToken(): Promise<LookerToken>
  /**
   * Calls Looker itself, with the token and without cookies; a token that Looker refuses is replaced once.
   * @param path on Looker, such as `/api/4.0/user`; nothing else gets the token.
   * @throws {SallyportError} where there is no token; else as `fetch` does.
   */
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** For `new Looker40SDK(…)` of `@looker/sdk`. */
  session(): IAuthSession
  /** Makes `getEmbedSDK()` ready for cookieless embedding, and again each time its session is over. */
  embed<Sdk extends EmbedSdk>(sdk: Sdk): Sdk
  /** Goes to the sign-in, and comes back to this page. */
  signIn(): void
}
