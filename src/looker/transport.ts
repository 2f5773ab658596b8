import {
  type Authenticator,
  BaseTransport,
  type HttpMethod,
  type IRawRequest,
  type IRawResponse,
  type ITransportSettings,
  type SDKResponse,
  type Values,
} from '@looker/sdk-rtl'
import { type Dispatcher, request as undiciRequest } from 'undici'
import { boundedText } from '../core/bounded-text.ts'

/** Looker answered, and not with success. */
export class LookerAnswer extends Error {
  readonly status: number
  readonly retryAfterSeconds: number | undefined

  constructor(status: number, message: string, retryAfterSeconds: number | undefined) {
    super(message)
    this.name = 'LookerAnswer'
    this.status = status
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** What one call is told besides its parameters; travels through the SDK's `options`. */
export interface CallOptions extends Partial<ITransportSettings> {
  /** The operationId, for metrics. */
  operation: string
  signal: AbortSignal
  requestId?: string | undefined
  /** The browser's, where Looker is to know it. */
  userAgent?: string | undefined
}

export interface TransportOptions {
  /** With the API path: https://host/api/4.0 */
  readonly baseUrl: string
  readonly dispatcher: Dispatcher
  /** Hears of each exchange with Looker; `code` is the status or `error`. */
  readonly observe: (operation: string, code: string, seconds: number) => void
  /** Hears of each exchange that came to nothing. */
  readonly failed: (reason: 'timeout' | 'unreachable') => void
}

/** Answers of the operations used here are small; a larger one is not an answer to them. */
const MAX_ANSWER_BYTES = 4_000_000

/**
 * Carries the SDK's calls over undici. The SDK's own transport ignores signals, deadlines and `Retry-After`, turns
 * TLS verification off for the whole process, prints each request and loses the status of errors; this one does not.
 */
export class LookerTransport extends BaseTransport {
  readonly #options: TransportOptions

  constructor(options: TransportOptions) {
    super({ base_url: options.baseUrl, verify_ssl: true, timeout: 0, agentTag: 'sallyport' })
    this.#options = options
  }

  override async rawRequest(
    method: HttpMethod,
    path: string,
    queryParams?: Values,
    body?: unknown,
    authenticator?: Authenticator,
    options?: Partial<ITransportSettings>,
  ): Promise<IRawResponse> {
    const { operation, signal, requestId, userAgent } = options as CallOptions
    const url = this.makeUrl(path, this.options, queryParams)
    const headers: Record<string, string> = { accept: 'application/json', 'x-looker-appid': 'sallyport' }
    if (requestId !== undefined) headers['x-request-id'] = requestId
    if (userAgent !== undefined) headers['user-agent'] = userAgent
    let payload: string | undefined
    if (body instanceof URLSearchParams) {
      payload = body.toString()
      headers['content-type'] = 'application/x-www-form-urlencoded'
    } else if (body !== undefined && body !== null) {
      payload = JSON.stringify(body)
      headers['content-type'] = 'application/json'
    }
    const authenticated = authenticator === undefined ? { headers } : await authenticator({ method, url, headers })
    const requestStarted = performance.now()
    let code = 'error'
    try {
      const response = await undiciRequest(url, {
        method: method === 'TRACE' ? 'GET' : method,
        headers: authenticated.headers,
        body: payload ?? null,
        dispatcher: this.#options.dispatcher,
        signal,
      })
      code = String(response.statusCode)
      const text = await boundedText(response.body, MAX_ANSWER_BYTES)
      return {
        method,
        url,
        ok: response.statusCode >= 200 && response.statusCode < 300,
        statusCode: response.statusCode,
        statusMessage: code,
        contentType: String(response.headers['content-type'] ?? ''),
        headers: response.headers as IRawResponse['headers'],
        body: text,
        requestStarted,
        responseCompleted: performance.now(),
      }
    } catch (error) {
      this.#options.failed(isTimeout(error) ? 'timeout' : 'unreachable')
      throw error
    } finally {
      this.#options.observe(operation, code, (performance.now() - requestStarted) / 1000)
    }
  }

  /** @throws {LookerAnswer} for every answer that is not a success, so that its status is not lost. */
  override async request<Success, Failure>(
    method: HttpMethod,
    path: string,
    queryParams?: Values,
    body?: unknown,
    authenticator?: Authenticator,
    options?: Partial<ITransportSettings>,
  ): Promise<SDKResponse<Success, Failure>> {
    return this.parseResponse(await this.rawRequest(method, path, queryParams, body, authenticator, options))
  }

  override async parseResponse<Success, Failure>(raw: IRawResponse): Promise<SDKResponse<Success, Failure>> {
    const value: unknown = raw.body === '' ? undefined : parseJson(raw.body)
    if (raw.ok) return { ok: true, value: value as Success }
    const message = (value as { message?: unknown } | undefined)?.message
    throw new LookerAnswer(
      raw.statusCode,
      typeof message === 'string' ? message.slice(0, 300) : 'no message',
      retryAfterSeconds(raw.headers['retry-after']),
    )
  }

  // The rest of the SDK's transport is not used here: streams are the gateway's, retries are the client's to decide.
  override retry(_request: IRawRequest): Promise<IRawResponse> {
    return Promise.reject(new Error('the client decides on retries'))
  }

  override stream<Success>(): Promise<Success> {
    return Promise.reject(new Error('streams do not pass here'))
  }
}

export function isTimeout(error: unknown): boolean {
  return (
    error instanceof Error &&
    (error.name === 'TimeoutError' || /TIMEOUT/.test(String((error as NodeJS.ErrnoException).code)))
  )
}

function parseJson(text: unknown): unknown {
  try {
    return JSON.parse(String(text))
  } catch {
    // A proxy between us and Looker answers in HTML; its status says enough.
    return undefined
  }
}

/** Seconds or an HTTP date (RFC 9110 §10.2.3). */
function retryAfterSeconds(value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined
}
