import { badRequest, notFound } from './failure.ts'
import { createSecretToken } from './secret-token.ts'

const AUTHENTICATION_SECONDS = 30
const TOKEN_SECONDS = 600

export interface EmbedSession {
  readonly reference: string
  readonly userId: string
  readonly externalUserId: string
  /** Looker compares it when the iframe loads, and refuses another browser's. */
  readonly userAgent: string
  readonly embedDomain: string | undefined
  readonly expiresAt: number
  readonly navigationTokens: Map<string, number>
  readonly apiTokens: Map<string, number>
  /** Of signed embedding, which has no tokens. */
  readonly cookies: Map<string, number>
}

type Held = 'navigationTokens' | 'apiTokens' | 'cookies'

export interface SessionTokens {
  readonly navigation_token: string
  readonly navigation_token_ttl: number
  readonly api_token: string
  readonly api_token_ttl: number
  readonly session_reference_token: string
  readonly session_reference_token_ttl: number
}

interface Authentication {
  readonly session: EmbedSession
  readonly expiresAt: number
}

export function createEmbedSessions(now: () => number) {
  // Sessions that ran out stay, so that generate can tell an expired one (ttl 0) from one that never was (400).
  const sessions = new Map<string, EmbedSession>()
  const current = new Map<string, EmbedSession>()
  const authentications = new Map<string, Authentication>()
  const byToken = new Map<string, EmbedSession>()

  const remainingSeconds = (until: number): number => Math.max(0, Math.floor((until - now()) / 1000))
  const isLive = (session: EmbedSession): boolean => session.expiresAt > now()

  function end(session: EmbedSession): void {
    sessions.delete(session.reference)
    const { navigationTokens, apiTokens, cookies } = session
    for (const tokens of [navigationTokens, apiTokens, cookies])
      for (const token of tokens.keys()) byToken.delete(token)
    if (current.get(session.userId) === session) current.delete(session.userId)
  }
  function issue(held: Map<string, number>, session: EmbedSession): { token: string; ttl: number } {
    const expiresAt = Math.min(now() + TOKEN_SECONDS * 1000, session.expiresAt)
    const token = createSecretToken()
    held.set(token, expiresAt)
    byToken.set(token, session)
    return { token, ttl: remainingSeconds(expiresAt) }
  }
  /** The session of a token that is good for now, and how long it still is. */
  function holding(held: Held, token: string): { session: EmbedSession; ttl: number } | undefined {
    const session = byToken.get(token)
    const expiresAt = session?.[held].get(token) ?? 0
    return session === undefined || expiresAt <= now() ? undefined : { session, ttl: remainingSeconds(expiresAt) }
  }
  function tokensOf(session: EmbedSession): SessionTokens {
    const navigation = issue(session.navigationTokens, session)
    const api = issue(session.apiTokens, session)
    return {
      navigation_token: navigation.token,
      navigation_token_ttl: navigation.ttl,
      api_token: api.token,
      api_token_ttl: api.ttl,
      session_reference_token: session.reference,
      session_reference_token_ttl: remainingSeconds(session.expiresAt),
    }
  }

  return {
    /** The session of a reference that has not run out. */
    live(reference: string): EmbedSession | undefined {
      const session = sessions.get(reference)
      return session !== undefined && isLive(session) ? session : undefined
    },
    /** The live session of a user, of whom there is never more than one. */
    currentOf(userId: string): EmbedSession | undefined {
      const session = current.get(userId)
      return session !== undefined && isLive(session) ? session : undefined
    },
    /** Begins a session; the user's earlier one ends. */
    begin(
      user: { id: string; externalUserId: string },
      { seconds, userAgent, embedDomain }: { seconds: number; userAgent: string; embedDomain: string | undefined },
    ): EmbedSession {
      const earlier = current.get(user.id)
      if (earlier !== undefined) end(earlier)
      const session: EmbedSession = {
        reference: createSecretToken(),
        userId: user.id,
        externalUserId: user.externalUserId,
        userAgent,
        embedDomain,
        expiresAt: now() + seconds * 1000,
        navigationTokens: new Map(),
        apiTokens: new Map(),
        cookies: new Map(),
      }
      sessions.set(session.reference, session)
      current.set(user.id, session)
      return session
    },
    /** What acquire answers: every join has an authentication token and tokens of its own. */
    join(session: EmbedSession) {
      for (const [token, { expiresAt }] of authentications) {
        // Kept in order of birth and all live equally long, so the first live one ends the sweep.
        if (expiresAt > now()) break
        authentications.delete(token)
      }
      const expiresAt = Math.min(now() + AUTHENTICATION_SECONDS * 1000, session.expiresAt)
      const authentication = createSecretToken()
      authentications.set(authentication, { session, expiresAt })
      return {
        authentication_token: authentication,
        authentication_token_ttl: remainingSeconds(expiresAt),
        ...tokensOf(session),
      }
    },
    /** The session an authentication token starts in the iframe: once, within its life. */
    redeem(authenticationToken: string): EmbedSession | undefined {
      const authentication = authentications.get(authenticationToken)
      authentications.delete(authenticationToken)
      if (authentication === undefined || authentication.expiresAt <= now()) return undefined
      // The session may have been ended since; its authentication tokens go with it.
      return sessions.has(authentication.session.reference) ? authentication.session : undefined
    },
    /** A navigation token opens the pages of the session, as often as it likes. */
    navigator: (token: string) => holding('navigationTokens', token),
    /** An api token, or the cookie of signed embedding, calls for their data. */
    caller: (token: string) => holding('apiTokens', token) ?? holding('cookies', token),
    /** The cookie of a browser that has come with a signed URL: good for the session, whatever its length. */
    signIn(session: EmbedSession): string {
      const cookie = createSecretToken()
      session.cookies.set(cookie, session.expiresAt)
      byToken.set(cookie, session)
      return cookie
    },
    generate(
      reference: string,
      given: { navigationToken: string | undefined; apiToken: string | undefined },
      userAgent: string,
    ) {
      const session = sessions.get(reference)
      const theirs =
        session !== undefined &&
        (given.navigationToken === undefined || session.navigationTokens.has(given.navigationToken)) &&
        (given.apiToken === undefined || session.apiTokens.has(given.apiToken))
      if (!theirs) throw badRequest('Invalid input tokens provided')
      if (!isLive(session)) {
        return {
          navigation_token: null,
          navigation_token_ttl: 0,
          api_token: null,
          api_token_ttl: 0,
          session_reference_token: reference,
          session_reference_token_ttl: 0,
        }
      }
      // Deliberately not the words for bad tokens: a wrong User-Agent is a mistake to see, not a session that is over.
      if (session.userAgent !== userAgent) throw badRequest('The User-Agent is not that of the embed session')
      return tokensOf(session)
    },
    /** Ends by reference; one nobody holds is 404. */
    endByReference(reference: string): void {
      const session = sessions.get(reference)
      if (session === undefined) throw notFound()
      end(session)
    },
    endOfUser(userId: string): void {
      for (const session of sessions.values()) if (session.userId === userId) end(session)
    },
    count: (): number => sessions.values().filter(isLive).toArray().length,
  }
}
