import { onTestFinished } from 'vitest'
import {
  type EmulatedLooker,
  type EmulatedLookerOptions,
  startEmulatedLooker,
} from '../../../demo/looker/emulated-looker.ts'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The parsed JSON, `undefined` for anything else. */
  readonly json: unknown
}

export interface ApiClient {
  readonly token: string
  request(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
}

/** A Looker for one test, closed after it. Its clock stands still unless turned, so that lives can be held exactly. */
export async function openLooker(options: EmulatedLookerOptions = {}): Promise<EmulatedLooker> {
  const started = Date.now()
  const looker = await startEmulatedLooker({ now: () => started, ...options })
  onTestFinished(() => looker.close())
  return looker
}

export async function send(looker: EmulatedLooker, method: string, path: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(`${looker.url}/api/4.0${path}`, { method, ...init })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true
  return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : undefined }
}

export function createClient(looker: EmulatedLooker, token: string): ApiClient {
  return {
    token,
    request: (method, path, body, headers = {}) =>
      send(looker, method, path, {
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
  }
}

export function login(looker: EmulatedLooker, clientId = looker.clientId, clientSecret = looker.clientSecret) {
  return send(looker, 'POST', '/login', {
    body: new URLSearchParams({ client_id: clientId, client_secret: clientSecret }),
  })
}

export async function loginAsAdmin(looker: EmulatedLooker): Promise<ApiClient> {
  return createClient(looker, memberOf(await login(looker), 'access_token'))
}

export async function loginAs(admin: ApiClient, looker: EmulatedLooker, userId: string): Promise<ApiClient> {
  return createClient(looker, memberOf(await admin.request('POST', `/login/${userId}`), 'access_token'))
}

export interface Person {
  readonly permissions?: readonly string[]
  readonly models?: readonly string[]
  readonly group_ids?: readonly string[]
  readonly user_attributes?: Readonly<Record<string, string>>
}

/** Provisions an embed user by a session, and logs in as them. */
export async function openPerson(
  looker: EmulatedLooker,
  admin: ApiClient,
  externalUserId: string,
  person: Person = {},
): Promise<ApiClient & { readonly id: string }> {
  const answer = await admin.request('POST', '/embed/cookieless_session/acquire', {
    external_user_id: externalUserId,
    permissions: ['access_data', 'see_looks', 'see_user_dashboards', 'explore'],
    models: ['thelook'],
    ...person,
  })
  const id = looker.users.find(externalUserId)?.id
  if (answer.status !== 200 || id === undefined) throw new Error(`acquire answered ${answer.status}: ${answer.text}`)
  return { ...(await loginAs(admin, looker, id)), id }
}

/** A text member of an answer. */
export function memberOf(answer: Answer, name: string): string {
  const value: unknown =
    typeof answer.json === 'object' && answer.json !== null ? Reflect.get(answer.json, name) : undefined
  if (typeof value !== 'string') throw new Error(`No ${name} in ${answer.status} ${answer.text}`)
  return value
}
