import type { EmbedTokens, LookerToken } from './contract.ts'

/** A token that is reused. */
export interface Held {
  readonly token: LookerToken
  /** By this machine's clock: unlike `performance.now()` it goes on while the machine sleeps. */
  readonly endsAt: number
  /** When it took the place of one that Looker had refused; 0 if it did not. */
  readonly replacedAt: number
}

/** An embed session, from one `initCookieless` to the next. */
export interface HeldSession {
  /** The tokens that came last, and when. */
  last?: { readonly at: number; readonly tokens: EmbedTokens }
  /** Which of those that ask for a session was the last. */
  asked?: object
}
