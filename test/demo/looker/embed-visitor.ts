import type { EmulatedLooker } from '../../../demo/looker/emulated-looker.ts'
import { type ApiClient, memberOf } from './api-client.ts'

export const SHOP = 'https://shop.example.com'
export const BROWSER = 'Firefox'
export const BOARD = `/embed/dashboards/1?embed_domain=${SHOP}&sdk=3`

/** A viewer of The Look, with any member of the body put in another's place. */
export async function acquire(admin: ApiClient, body: object = {}) {
  const answer = await admin.request(
    'POST',
    '/embed/cookieless_session/acquire',
    {
      external_user_id: 'ann',
      permissions: ['access_data', 'see_looks', 'see_user_dashboards'],
      models: ['thelook'],
      session_length: 3600,
      embed_domain: SHOP,
      ...body,
    },
    { 'user-agent': BROWSER },
  )
  return {
    authentication: memberOf(answer, 'authentication_token'),
    navigation: memberOf(answer, 'navigation_token'),
    api: memberOf(answer, 'api_token'),
    reference: memberOf(answer, 'session_reference_token'),
  }
}

export type Acquired = Awaited<ReturnType<typeof acquire>>

/** Where the Embed SDK sends an iframe first. */
export function loginPath({ authentication, navigation }: Acquired, target = BOARD): string {
  const src = `${target}&embed_navigation_token=${navigation}`
  return `/login/embed/${encodeURIComponent(src)}?embed_authentication_token=${authentication}`
}

export function visit(
  looker: EmulatedLooker,
  path: string,
  headers: Record<string, string> = { 'user-agent': BROWSER },
): Promise<Response> {
  return fetch(`${looker.url}${path}`, { headers, redirect: 'manual' })
}

/** What the page in the iframe asks for, with its api token. */
export async function ask(looker: EmulatedLooker, token: string, path: string) {
  const answer = await visit(looker, `/api/internal/embed/${path}`, { authorization: `Bearer ${token}` })
  const json: unknown = await answer.json()
  return { status: answer.status, ttl: Number(answer.headers.get('x-embed-ttl')), json }
}

/** Status and reason of a page that refuses. */
export async function refusal(response: Promise<Response>): Promise<[number, string]> {
  const answer = await response
  const [, heading = '', reason = ''] = /<h1>(.*?)<\/h1>.*<p>(.*?)<\/p><\/main>/s.exec(await answer.text()) ?? []
  return [answer.status, `${heading} ${reason}`]
}
