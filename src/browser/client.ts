import type { IAuthSession, IRawResponse, ITransport, ITransportSettings, SDKResponse, Values } from '@looker/sdk-rtl'
import type { EmbedSdk, EmbedTokens, Looker, LookerOptions, LookerToken, Problem } from './contract.ts'

export type * from './contract.ts'

// A page loads this module and no other, so it imports types alone.

/** What a page need not say: Sallyport adds a line that fills it in when it serves this module. */
const served: LookerOptions = {}

/** Milliseconds. With less than this left a token is not used any more. */
const MARGIN = 10_000
const DEADLINE = 60_000
const LONGEST_WAIT = 30_000
/** A Looker that refuses even new tokens must not cost a login for each call; nor must frames end each other's sessions. */
const ONCE_IN = 10_000
const JSON_TYPE = { 'content-type': 'application/json' }

/** What Sallyport refused, as its problem document says it (RFC 9457). */
export class SallyportError extends Error {
  override readonly name = 'SallyportError'
  /** Of HTTP; 0 where there was no answer. 401: the person has to sign in again. */
  readonly status: number
  /** `urn:sallyport:problem:KIND`; `about:blank` where something on the way answered in Sallyport's place. */
  readonly type: string
  readonly detail: string
  /** Under which Sallyport's log says more. */
  readonly requestId: string | undefined

  constructor(status: number, { type = 'about:blank', detail, instance }: Problem, cause?: unknown) {
    const said = detail ?? (status === 0 ? 'Sallyport cannot be reached.' : `Sallyport could not be asked: ${status}.`)
    super(said, { cause })
    this.status = status
    this.type = type
    this.detail = said
    this.requestId = instance
  }
}

declare const location: { pathname: string; search: string; hash: string; assign(url: string): void }

/** Looker as the person who is signed in at this origin. */
export function connectLooker(options: LookerOptions = {}): Looker {
  const { prefix = served.prefix ?? '/sallyport', lookerUrl = served.lookerUrl } = options
  const events = new EventTarget()
  const ask = createAsking(prefix, () => events.dispatchEvent(new Event('signInNeeded')))
  const tokens = createTokens(ask)
  const call = createCalling(tokens)
  return Object.assign(events, {
    getToken: tokens.get,
    fetch: call,
    session: () => createSession(tokens, call),
    embed: createEmbedding(ask, lookerUrl, () => events.dispatchEvent(new Event('embedExpired'))),
    signIn() {
      const here = location.pathname + location.search + location.hash
      location.assign(`${prefix}/login?return_to=${encodeURIComponent(here)}`)
    },
  })
}

type Asking = ReturnType<typeof createAsking>

/** `ask` asks Sallyport; `ask.over` says that the person has to sign in again: once, however many calls notice. */
function createAsking(prefix: string, onOver: () => void) {
  let isOver = false
  function over(): void {
    if (!isOver) onOver()
    isOver = true
  }
  async function ask<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    const json = body === undefined ? {} : { headers: JSON_TYPE, body: JSON.stringify(body) }
    const send = (): Promise<Response> => {
      const init = { ...json, method, credentials: 'same-origin', signal: AbortSignal.timeout(DEADLINE) } as const
      return fetch(prefix + path, init).catch((cause: unknown) => {
        throw new SallyportError(0, {}, cause)
      })
    }
    let answer = await send()
    const wait = Number(answer.headers.get('retry-after')) * 1000
    if (answer.status === 503 && wait > 0 && wait <= LONGEST_WAIT) {
      // Not all pages at the same moment.
      await new Promise(resolve => setTimeout(resolve, wait * (1 + Math.random() / 4)))
      answer = await send()
    }
    const said: unknown = answer.status === 204 ? {} : await answer.json().catch(() => undefined)
    if (answer.status === 401) over()
    if (!answer.ok || said === undefined) throw new SallyportError(answer.status, said ?? {})
    isOver = false
    return said as Answer
  }
  return Object.assign(ask, { over })
}

interface Held {
  readonly token: LookerToken
  /** By this machine's clock: unlike `performance.now()` it goes on while the machine sleeps. */
  readonly endsAt: number
  /** When it took the place of one that Looker had refused; 0 if it did not. */
  readonly replacedAt: number
}

type Tokens = ReturnType<typeof createTokens>

function createTokens(ask: Asking) {
  let held: Held | undefined
  let asking: Promise<Held> | undefined
  let person: string | undefined

  const post = (): Promise<LookerToken> => ask('POST', '/looker/token')
  async function giveBack(): Promise<void> {
    await ask('DELETE', '/looker/token')
    held = undefined
  }

  async function renew(refused?: string): Promise<Held> {
    held = undefined
    let askedAt = Date.now()
    let token = await post()
    if (token.access_token === refused) {
      // Sallyport cannot know that Looker has dropped it.
      await giveBack()
      askedAt = Date.now()
      token = await post()
    }
    person ??= token.looker_user_id
    if (person !== token.looker_user_id) {
      // Signed in as another, in another tab. What this page shows is the first one's.
      ask.over()
      throw new SallyportError(401, { detail: 'Somebody else is signed in now.' })
    }
    held = { token, endsAt: askedAt + token.expires_in * 1000, replacedAt: refused === undefined ? 0 : askedAt }
    return held
  }

  /** Tabs replace a refused token in turn, or each would drop the other's new one. Plain http has no locks. */
  const inTurn = (work: () => Promise<Held>): Promise<Held> => navigator.locks?.request('sallyport', work) ?? work()

  /** @param refused one that Looker takes no more: another is wanted. */
  async function current(refused?: string): Promise<Held> {
    if (held !== undefined && held.token.access_token !== refused && held.endsAt - Date.now() > MARGIN) return held
    // One request, however many want a token.
    asking ??= (refused === undefined ? renew() : inTurn(() => renew(refused))).finally(() => {
      asking = undefined
    })
    return asking
  }

  return {
    isHeld: () => held !== undefined && held.endsAt > Date.now(),
    current,
    async get(): Promise<LookerToken> {
      const { token, endsAt } = await current()
      return { ...token, expires_in: Math.max(1, Math.floor((endsAt - Date.now()) / 1000)) }
    },
    forget(): void {
      held = undefined
    },
    giveBack,
  }
}

function createCalling({ current }: Tokens): Looker['fetch'] {
  return async (path, init = {}) => {
    const send = ({ token }: Held): Promise<Response> => {
      const base = token.base_url.replace(/\/$/, '')
      const url = new URL(/^https?:/i.test(path) ? path : base + path)
      if (url.origin !== new URL(base).origin) throw new TypeError('only Looker is given its token')
      const headers = new Headers(init.headers)
      headers.set('authorization', `Bearer ${token.access_token}`)
      return fetch(url, { ...init, headers, credentials: 'omit' })
    }
    const first = await current()
    const answer = await send(first)
    if (answer.status !== 401 || Date.now() - first.replacedAt < ONCE_IN) return answer
    const next = await current(first.token.access_token)
    // What was sent as a stream is spent.
    if (init.body instanceof ReadableStream) return answer
    await answer.body?.cancel()
    return send(next)
  }
}

/** The SDK fixes its base when it is made, before the first token says where Looker is: this stands in for it. */
const BASE = 'looker:'
/** As the SDK tells them apart: what is both is text. */
const TEXT = /^text\/|^application\/.*\b(json|xml|sql|graphql|javascript)\b|\+xml\b|charset=/i
const BINARY = /^(image|audio|video|font|application|multipart)\//i

/** The SDK's own `AuthSession` has nothing that is needed here, and would have to be imported. */
function createSession(tokens: Tokens, call: Looker['fetch']): IAuthSession {
  const send = (
    method: string,
    path: string,
    query: Values,
    body: unknown,
    { timeout = 120, signal, headers, agentTag = '' }: Partial<ITransportSettings> = {},
  ): Promise<Response> => {
    const deadline = AbortSignal.timeout(timeout * 1000)
    const asIs = typeof body === 'string' || body instanceof URLSearchParams
    return call(path.replace(BASE, '') + queryOf(query), {
      method,
      body: asIs ? body : body ? JSON.stringify(body) : null,
      headers: { 'x-looker-appid': agentTag, ...(body && !asIs ? JSON_TYPE : {}), ...headers },
      signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
    })
  }
  const transport: ITransport = {
    observer: undefined,
    async rawRequest(method, path, query, body, _authenticator, options) {
      const requestStarted = Date.now()
      const answer = await send(method, path, query, body, options)
      const contentType = answer.headers.get('content-type') ?? ''
      const raw: IRawResponse = {
        method,
        url: answer.url,
        ok: answer.ok,
        statusCode: answer.status,
        statusMessage: answer.statusText,
        contentType,
        headers: Object.fromEntries(answer.headers),
        body: BINARY.test(contentType) && !TEXT.test(contentType) ? await answer.blob() : await answer.text(),
        requestStarted,
        responseCompleted: Date.now(),
      }
      return transport.observer?.(raw) ?? raw
    },
    retry: ({ method, path, queryParams, body, authenticator, options }) =>
      transport.rawRequest(method, path, queryParams, body, authenticator, options),
    parseResponse: async ({ ok, body, contentType }) =>
      (ok
        ? { ok, value: /^application\/json/i.test(contentType) ? JSON.parse(body) : body }
        : { ok, error: jsonOf(body) ?? { message: `Request failed: ${body}` } }) as SDKResponse<never, never>,
    async request(...request) {
      try {
        return await transport.parseResponse(await transport.rawRequest(...request))
      } catch (error) {
        // As with the SDK's own transport: who cancels hears of it, all else is an answer.
        if (error instanceof DOMException) throw error
        return { ok: false, error: error as never }
      }
    },
    stream: async (callback, method, path, query, body, _authenticator, options) =>
      callback(await send(method, path, query, body, options)),
  }
  return {
    transport,
    settings: {
      base_url: BASE,
      verify_ssl: true,
      timeout: 120,
      agentTag: '',
      readConfig: () => ({}),
      isConfigured: () => true,
    },
    sudoId: '',
    isSudo: () => false,
    isAuthenticated: tokens.isHeld,
    getToken: tokens.get,
    login: tokens.get,
    async authenticate(props) {
      const { token } = await tokens.current()
      props.url = props.url.replace(BASE, token.base_url)
      props.headers = { ...props.headers, Authorization: `Bearer ${token.access_token}` }
      props.credentials = 'omit'
      return props
    },
    logout: () => tokens.giveBack().then(() => true),
    reset: tokens.forget,
  }
}

function jsonOf(text: unknown): unknown {
  try {
    return JSON.parse(text as string)
  } catch {
    return undefined
  }
}

/** As the SDK writes it, but for values that look encoded: those are values too. */
function queryOf(values: Values): string {
  const written = Object.entries(values ?? {})
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(textOf(value))}`)
  return written.length === 0 ? '' : `?${written.join('&')}`
}

function textOf(value: unknown): string {
  if (value instanceof Date) return value.toISOString()
  // The SDK's lists with commas bring a `toString` of their own.
  const plain = typeof value !== 'object' || value === null || Object.hasOwn(value, 'toString')
  return plain ? String(value) : JSON.stringify(value)
}

/** What the Embed SDK takes for the end of its session. */
const OVER: EmbedTokens = { session_reference_token_ttl: 0 }

function createEmbedding(ask: Asking, lookerUrl: string | undefined, onExpired: () => void): Looker['embed'] {
  const ready = new WeakSet<EmbedSdk>()
  return sdk => {
    if (ready.has(sdk)) return sdk
    if (lookerUrl === undefined) throw new TypeError('where is Looker? connectLooker({ lookerUrl })')
    const clear = sdk.clearSession.bind(sdk)
    let clearedAt = 0
    let current: object | undefined
    const begin = (): void => {
      // Of this session alone: what a frame of the one before still asks, or is answered, is not about this one.
      const session: { last?: { at: number; tokens: EmbedTokens } } = (current = {})
      const take = async (method: string, path: string, body?: unknown): Promise<EmbedTokens> => {
        const last = { at: Date.now(), tokens: await ask<EmbedTokens>(method, path, body) }
        session.last = last
        // Frames have others by the time these end. Where there is no frame, Looker would refuse the next one for them.
        const { navigation_token_ttl = 0 } = last.tokens
        setTimeout(() => session === current && last === session.last && begin(), navigation_token_ttl * 1000 + MARGIN)
        return last.tokens
      }
      /** Never rejects: SDK 2.0.8 asks no more after one failure. With what is left of the old tokens it soon asks again. */
      const generate = async (): Promise<EmbedTokens> => {
        if (session.last === undefined) return OVER
        const { at, tokens } = session.last
        const { navigation_token, api_token } = tokens
        try {
          return await take('PUT', '/looker/embed/tokens', { navigation_token, api_token })
        } catch (error) {
          const { status } = error as SallyportError
          const left = (ttl = 0): number => Math.floor(ttl - (Date.now() - at) / 1000)
          const ttls = {
            navigation_token_ttl: left(tokens.navigation_token_ttl),
            api_token_ttl: left(tokens.api_token_ttl),
            session_reference_token_ttl: left(tokens.session_reference_token_ttl),
          }
          return (status >= 400 && status < 500) || Math.min(...Object.values(ttls)) < 1 ? OVER : { ...tokens, ...ttls }
        }
      }
      clear()
      sdk.initCookieless(lookerUrl, () => take('POST', '/looker/embed/session'), generate)
    }
    // The SDK calls this at `session:expired`, once for each frame. The first has cleared for all of them, and the session
    // that is being begun since has to stay.
    sdk.clearSession = () => {
      if (Date.now() - clearedAt < ONCE_IN) return
      clearedAt = Date.now()
      begin()
      onExpired()
    }
    ready.add(sdk)
    begin()
    return sdk
  }
}
