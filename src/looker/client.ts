import type { Looker40SDK } from '@looker/sdk'
import { LookerNodeSDK } from '@looker/sdk-node'
import { ApiSettings, AuthSession, type IAccessToken, type IRequestProps, type SDKResponse } from '@looker/sdk-rtl'
import type { Dispatcher } from 'undici'
import type { Clock } from '../core/clock.ts'
import { Refusal } from '../core/failure.ts'
import type { Secret, SecretSource } from '../core/secret.ts'
import { type AccessToken, readAccessToken } from './access-token.ts'
import { createBreaker } from './breaker.ts'
import { type CallOptions, isTimeout, LookerAnswer, LookerTransport } from './transport.ts'

/** The service token is renewed when this part of its life is over, before anybody has to wait for it. */
const RENEW_AT = 0.8
/** Credentials that Looker refused are left alone for this long: a mistyped secret must not be one login a request. */
const REFUSED_LOGIN_MILLISECONDS = 5000
/** How often one call is repeated after "too many requests", each time when Looker says. */
const MAX_PAUSES = 3
/** No pause is longer, whatever Looker, or a proxy before it, asks for: a wrong number must not close it for good. */
const LONGEST_PAUSE_SECONDS = 300

export interface LookerClientOptions {
  /** Without /api/4.0. */
  readonly url: string
  readonly clientId: SecretSource
  readonly clientSecret: SecretSource
  readonly timeoutSeconds: number
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  readonly observe: (operation: string, code: string, seconds: number) => void
  /** Hears of each exchange that came to nothing. */
  readonly failed: (reason: 'timeout' | 'unreachable') => void
}

export interface CallContext {
  readonly requestId?: string | undefined
  /** Sent on as it is: Looker compares that of embed calls with that of the browser that loads the iframe. */
  readonly userAgent?: string | undefined
  /** The deadline of this call, where it is to be shorter than the client's. */
  readonly timeoutSeconds?: number | undefined
}

type Call<T> = (sdk: Looker40SDK, options: CallOptions) => Promise<SDKResponse<T, unknown>>

/** Looker, asked with the service credentials. */
export interface LookerClient {
  /**
   * One operation, with a deadline; the service token is obtained, shared and renewed underneath.
   * @throws {LookerAnswer} where Looker answered with an error that is about this call.
   * @throws {Refusal} `looker-unavailable` where it did not answer, or could not.
   */
  call<T>(operation: string, work: Call<T>, context?: CallContext): Promise<T>
  /** Ends a person's token at Looker; a token that is over already is no error. */
  logout(token: Secret, context?: CallContext): Promise<void>
}

/**
 * The SDK's session, with its token from outside. The SDK's own would fetch one for each of many simultaneous calls,
 * and hands out the administrator's token where a person's was asked for.
 */
class ServiceSession extends AuthSession {
  readonly #token: () => Promise<Secret>

  constructor(settings: ApiSettings, transport: LookerTransport, token: () => Promise<Secret>) {
    super(settings, transport)
    this.#token = token
  }

  override isAuthenticated(): boolean {
    return true
  }

  override getToken(): Promise<Secret> {
    return this.#token()
  }

  override async authenticate(props: IRequestProps): Promise<IRequestProps> {
    const token = await this.#token()
    props.headers['authorization'] = `Bearer ${token.reveal()}`
    return props
  }
}

export function createLookerClient(options: LookerClientOptions): LookerClient {
  const { clock, timeoutSeconds } = options
  const baseUrl = `${options.url.replace(/\/$/, '')}/api/4.0`
  const { dispatcher, observe, failed } = options
  const transport = new LookerTransport({ baseUrl, dispatcher, observe, failed })
  const settings = new ApiSettings({
    base_url: options.url,
    verify_ssl: true,
    timeout: timeoutSeconds,
    agentTag: 'sallyport',
  })
  const breaker = createBreaker(clock)
  let service: AccessToken | undefined
  let renewal: Promise<AccessToken> | undefined
  let pausedUntil = 0
  let refused: { clientId: Secret; clientSecret: Secret; until: number; refusal: Refusal } | undefined

  const login = async (): Promise<AccessToken> => {
    const askedAt = clock.now()
    const [clientId, clientSecret] = [options.clientId.current(), options.clientSecret.current()]
    // A changed secret is another one, and tried at once.
    if (refused?.clientId === clientId && refused.clientSecret === clientSecret && askedAt < refused.until) {
      throw refused.refusal
    }
    const form = new URLSearchParams({ client_id: clientId.reveal(), client_secret: clientSecret.reveal() })
    try {
      const answer = await attempt('login', signal =>
        transport.request<IAccessToken, unknown>('POST', '/login', undefined, form, undefined, {
          operation: 'login',
          signal,
        }),
      )
      return readAccessToken(answer, askedAt)
    } catch (error) {
      if (error instanceof Refusal && error.failure.kind === 'looker-refused') {
        refused = { clientId, clientSecret, until: clock.now() + REFUSED_LOGIN_MILLISECONDS, refusal: error }
      }
      throw error
    }
  }
  const renew = (): Promise<AccessToken> => {
    renewal ??= login()
      .then(token => (service = token))
      .finally(() => (renewal = undefined))
    return renewal
  }
  const serviceToken = async (): Promise<AccessToken> => {
    const now = clock.now()
    if (service === undefined || service.expiresAt <= now) return renew()
    if (now >= service.obtainedAt + (service.expiresAt - service.obtainedAt) * RENEW_AT && renewal === undefined) {
      // Ahead of time and behind the caller's back; if it fails the next caller tries again, and this token still serves.
      renew().catch(() => {})
    }
    return service
  }
  const session = new ServiceSession(settings, transport, async () => (await serviceToken()).token)
  const sdk = LookerNodeSDK.init40(settings, transport, session)

  /** One exchange with its deadline, its pauses for 429, and its part in the breaker's count. */
  const attempt = async <T>(
    operation: string,
    exchange: (signal: AbortSignal) => Promise<SDKResponse<T, unknown>>,
    seconds = timeoutSeconds,
  ): Promise<T> => {
    const deadline = clock.now() + Math.min(seconds, timeoutSeconds) * 1000
    for (let pauses = 0; ; pauses++) {
      breaker.check()
      await untilUnpaused(deadline)
      // Not AbortSignal.timeout: its timer outlives the call by all that was left of the deadline, ten thousand at once.
      const expired = new AbortController()
      const timer = setTimeout(() => expired.abort(new TimeoutError()), Math.max(1, deadline - clock.now()))
      try {
        const answer = await exchange(expired.signal)
        if (!answer.ok) throw new Error('the transport throws for every answer that is not a success')
        breaker.succeeded()
        return answer.value
      } catch (error) {
        if (error instanceof Refusal) throw error
        if (error instanceof LookerAnswer && error.status === 429 && pauses < MAX_PAUSES) {
          // A Looker that says so is alive: whoever was the breaker's probe goes on to be heard.
          breaker.succeeded()
          pausedUntil = clock.now() + Math.min(error.retryAfterSeconds ?? 1, LONGEST_PAUSE_SECONDS) * 1000
          continue
        }
        throw judge(operation, error)
      } finally {
        clearTimeout(timer)
      }
    }
  }

  const untilUnpaused = async (deadline: number): Promise<void> => {
    const pause = pausedUntil - clock.now()
    if (pause <= 0) return
    if (pausedUntil >= deadline) {
      throw new Refusal({
        kind: 'looker-unavailable',
        reason: 'rate-limited',
        retryAfterSeconds: Math.ceil(pause / 1000),
      })
    }
    // Those who waited together do not come back together.
    await new Promise(resolve => setTimeout(resolve, pause + Math.random() * 50))
  }

  const judge = (operation: string, error: unknown): unknown => {
    if (error instanceof LookerAnswer && error.status < 500) {
      breaker.succeeded()
      if (error.status !== 429) return operation === 'login' ? refusedCredentials(error) : error
      const retryAfterSeconds = Math.ceil(error.retryAfterSeconds ?? 1)
      return new Refusal({ kind: 'looker-unavailable', reason: 'rate-limited', retryAfterSeconds }, { cause: error })
    }
    breaker.failed()
    const reason = error instanceof LookerAnswer ? 'server-error' : isTimeout(error) ? 'timeout' : 'unreachable'
    return new Refusal({ kind: 'looker-unavailable', reason, retryAfterSeconds: 2 }, { cause: error })
  }

  return {
    async call(operation, work, context) {
      let used: AccessToken | undefined
      const ask = async () => {
        // Before the attempt, not within it: while the breaker is half open only one may ask, and that is then the login.
        used = await serviceToken()
        return attempt(
          operation,
          signal => work(sdk, { operation, signal, requestId: context?.requestId, userAgent: context?.userAgent }),
          context?.timeoutSeconds,
        )
      }
      try {
        return await ask()
      } catch (error) {
        if (!(error instanceof LookerAnswer) || error.status !== 401) throw error
        // The service token ended early (a restart, a revocation): one new one for all who met this, one more try.
        if (service === used) service = undefined
        return await ask()
      }
    },
    async logout(token, context) {
      try {
        await attempt('logout', signal =>
          transport.request<void, never>(
            'DELETE',
            '/logout',
            undefined,
            undefined,
            async (props: IRequestProps) => {
              props.headers['authorization'] = `Bearer ${token.reveal()}`
              return props
            },
            { operation: 'logout', signal, requestId: context?.requestId },
          ),
        )
      } catch (error) {
        if (!(error instanceof LookerAnswer) || ![400, 401, 404].includes(error.status)) throw error
      }
    },
  }
}

class TimeoutError extends Error {
  override readonly name = 'TimeoutError'
}

function refusedCredentials(cause: LookerAnswer): Refusal {
  return new Refusal(
    {
      kind: 'looker-refused',
      operation: 'login',
      status: cause.status,
      message: 'Looker does not accept looker.clientId and looker.clientSecret',
    },
    { cause },
  )
}
