import { Looker40SDK } from '@looker/sdk'
import {
  ApiSettings,
  type Authenticator,
  AuthSession,
  BaseTransport,
  type HttpMethod,
  type IRawRequest,
  type IRawResponse,
  type IRequestProps,
  type SDKResponse,
  type Values,
} from '@looker/sdk-rtl'
import { expect, test } from 'vitest'
import { openLooker } from './api-client.ts'

/** As little as the SDK needs to speak over fetch. */
class FetchTransport extends BaseTransport {
  constructor(baseUrl: string) {
    super(new ApiSettings({ base_url: baseUrl, verify_ssl: true, timeout: 10, agentTag: 'test' }))
  }

  override async rawRequest(
    method: HttpMethod,
    path: string,
    queryParams?: Values,
    body?: unknown,
    authenticator?: Authenticator,
  ): Promise<IRawResponse> {
    const props = await this.initRequest(method, path, body, authenticator)
    const url = this.makeUrl(path, this.options, queryParams)
    const requestStarted = performance.now()
    const response = await fetch(url, {
      method,
      headers: props.headers,
      body: body instanceof URLSearchParams || typeof props.body === 'string' ? props.body : null,
    })
    return {
      method,
      url,
      ok: response.ok,
      statusCode: response.status,
      statusMessage: response.statusText,
      contentType: response.headers.get('content-type') ?? '',
      headers: Object.fromEntries(response.headers),
      body: await response.text(),
      requestStarted,
      responseCompleted: performance.now(),
    }
  }

  override async parseResponse<Success, Failure>(raw: IRawResponse): Promise<SDKResponse<Success, Failure>> {
    const value = raw.body === '' ? undefined : JSON.parse(raw.body)
    return raw.ok ? { ok: true, value } : { ok: false, error: value }
  }

  override async request<Success, Failure>(
    method: HttpMethod,
    path: string,
    queryParams?: Values,
    body?: unknown,
    authenticator?: Authenticator,
  ): Promise<SDKResponse<Success, Failure>> {
    return this.parseResponse(await this.rawRequest(method, path, queryParams, body, authenticator))
  }

  override retry(_request: IRawRequest): Promise<IRawResponse> {
    return Promise.reject(new Error('Not needed here'))
  }

  override stream<Success>(): Promise<Success> {
    return Promise.reject(new Error('Not needed here'))
  }
}

/** Puts the token it was given on every call. */
class HeldTokenSession extends AuthSession {
  readonly #token: string | undefined

  constructor(origin: string, token?: string) {
    const baseUrl = `${origin}/api/4.0`
    super(new ApiSettings({ base_url: origin, timeout: 10 }), new FetchTransport(baseUrl))
    this.#token = token
  }

  override isAuthenticated(): boolean {
    return this.#token !== undefined
  }

  override async getToken(): Promise<string | undefined> {
    return this.#token
  }

  override async authenticate(props: IRequestProps): Promise<IRequestProps> {
    if (this.#token !== undefined) props.headers['Authorization'] = `Bearer ${this.#token}`
    return props
  }
}

test("Looker's own SDK logs in, provisions a person, and queries as them", async () => {
  const looker = await openLooker()
  const anonymous = new Looker40SDK(new HeldTokenSession(looker.url))
  const login = await anonymous.ok(anonymous.login({ client_id: looker.clientId, client_secret: looker.clientSecret }))
  const admin = new Looker40SDK(new HeldTokenSession(looker.url, login.access_token))
  expect(await admin.ok(admin.me())).toMatchObject({ id: looker.serviceUserId, role_ids: ['2'] })

  await admin.ok(
    admin.acquire_embed_cookieless_session({
      external_user_id: 'corp|ann',
      permissions: ['access_data', 'explore'],
      models: ['thelook'],
      user_attributes: { region: 'LATAM' },
    }),
  )
  const user = await admin.ok(admin.user_for_credential('embed', 'corp|ann', 'id'))
  const grant = await admin.ok(admin.login_user(user.id ?? ''))
  const ann = new Looker40SDK(new HeldTokenSession(looker.url, grant.access_token))
  const rows: unknown = await ann.ok(
    ann.run_inline_query({
      result_format: 'json',
      body: { model: 'thelook', view: 'orders', fields: ['orders.region', 'orders.count'] },
    }),
  )
  expect(rows).toEqual([{ 'orders.region': 'LATAM', 'orders.count': expect.any(Number) }])
  await ann.ok(ann.logout())
  await expect(ann.ok(ann.me())).rejects.toThrow('Requires authentication.')
})
