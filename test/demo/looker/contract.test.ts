import { expect, test } from 'vitest'
import { createInstance } from '../../../demo/looker/instance.ts'
import { createFaults } from '../../../demo/looker/faults.ts'
import { listOperations } from '../../../demo/looker/operations/list.ts'
import { type Answer, type ApiClient, createClient, login, loginAsAdmin, memberOf, openLooker } from './api-client.ts'
import { readApiDescription } from './api-description.ts'

const description = readApiDescription()

function withDescription(name: string, body: () => void | Promise<void>): void {
  test(name, async ({ skip }) => {
    skip(description === undefined, "Looker's API description, ../shared/looker/Looker.4.0.oas.json, is not here")
    await body()
  })
}

const ORDERS = { model: 'thelook', view: 'orders', fields: ['orders.region', 'orders.count'] }
const EMBED_USER = {
  external_user_id: 'corp|ann',
  first_name: 'Ann',
  permissions: ['access_data', 'explore'],
  models: ['thelook'],
  group_ids: ['8'],
  external_group_id: 'corp',
  user_attributes: { region: 'EMEA' },
}

function operationsOfTheEmulator() {
  const instance = createInstance({
    now: Date.now,
    clientId: 'id',
    clientSecret: 'secret',
    domainAllowlist: [],
    tokenLifeSeconds: 1,
    embedSecret: { secret: 'secret', algorithm: 'hmac/sha-256' },
  })
  return listOperations(instance, createFaults())
}

/** Holds every answer against the description, and remembers which operations succeeded. */
function createExaminer() {
  const succeeded = new Set<string>()
  return {
    succeeded,
    hold(method: string, path: string, answer: Answer): void {
      const [bare = ''] = path.split('?', 1)
      const type = answer.headers.get('content-type')
      expect(description?.breaches(method, bare, answer.status, type, answer.text)).toEqual([])
      if (answer.status < 300) succeeded.add(description?.operationOf(method, bare)?.id ?? '')
    },
  }
}

withDescription('every operation has the id, method and path that Looker describes', () => {
  for (const { id, method, path } of operationsOfTheEmulator()) {
    const described = description?.operations.find(operation => operation.id === id)
    const inOurWords = described?.path.replaceAll(/\{([^}]+)\}/g, ':$1')
    expect({ id, method: described?.method, path: inOurWords }).toEqual({ id, method, path })
  }
})

withDescription('every operation answers success as described, with no member that is not', async () => {
  const looker = await openLooker()
  const examiner = createExaminer()
  const admin = await loginAsAdmin(looker)
  async function ask(method: string, path: string, body?: unknown, client: ApiClient = admin): Promise<Answer> {
    const answer = await client.request(method, path, body)
    examiner.hold(method, path, answer)
    expect([path, answer.status < 300]).toEqual([path, true])
    return answer
  }

  examiner.hold('POST', '/login', await login(looker))
  const session = await ask('POST', '/embed/cookieless_session/acquire', EMBED_USER)
  const reference = memberOf(session, 'session_reference_token')
  await ask('PUT', '/embed/cookieless_session/generate_tokens', { session_reference_token: reference })
  const user = await ask('GET', '/users/credential/embed/corp%7Cann')
  const id = memberOf(user, 'id')
  const ann = createClient(looker, memberOf(await ask('POST', `/login/${id}`), 'access_token'))

  await ask('GET', '/user', undefined, ann)
  await ask('GET', `/users/${id}`, undefined, ann)
  await ask('GET', '/users/credential/oidc/dana')
  await ask('GET', '/users')
  await ask('GET', '/users/search?embed_user=true')
  await ask('POST', '/users/embed_user', { external_user_id: 'corp|ben' })
  await ask('PATCH', `/users/${id}`, { last_name: 'Lee', locale: 'fr' })
  await ask('PUT', `/users/${id}/roles`, ['5'])
  await ask('GET', `/users/${id}/roles`)
  await ask('GET', '/groups')
  await ask('POST', '/groups/9/users', { user_id: id })
  await ask('DELETE', `/groups/9/users/${id}`)
  await ask('GET', '/user_attributes')
  await ask('PATCH', `/users/${id}/attribute_values/11`, { value: 'Alder' })
  await ask('GET', `/users/${id}/attribute_values?include_unset=true`)
  await ask('DELETE', `/users/${id}/attribute_values/11`)
  const key = memberOf(await ask('POST', `/users/${id}/credentials_api3`), 'id')
  await ask('GET', `/users/${id}/credentials_api3`)
  await ask('GET', `/users/${id}/credentials_api3/${key}`)
  await ask('DELETE', `/users/${id}/credentials_api3/${key}`)
  await ask('POST', '/embed/sso_url', { ...EMBED_USER, target_url: `${looker.url}/dashboards/1?Region=EMEA` })
  await ask('DELETE', `/embed/cookieless_session/${reference}`)

  await ask('GET', '/versions')
  await ask('GET', '/setting')
  await ask('PATCH', '/setting', { embed_config: { domain_allowlist: ['https://app.example.com'] } })
  for (const path of ['/roles', '/permission_sets', '/model_sets', '/external_oauth_applications'])
    await ask('GET', path)
  await ask('POST', '/external_oauth_applications/user_state', {
    user_id: id,
    oauth_application_id: '1',
    access_token: 'token',
    access_token_expires_at: '2099-01-01T00:00:00Z',
  })

  const query = memberOf(await ask('POST', '/queries', ORDERS, ann), 'id')
  await ask('GET', `/queries/${query}`, undefined, ann)
  for (const format of ['json', 'json_detail', 'csv', 'txt']) {
    await ask('POST', `/queries/run/${format}`, ORDERS, ann)
    await ask('GET', `/queries/${query}/run/${format}`, undefined, ann)
  }
  const task = memberOf(await ask('POST', '/query_tasks', { query_id: query, result_format: 'json' }, ann), 'id')
  await ask('GET', `/query_tasks/${task}`, undefined, ann)
  expect((await ask('GET', `/query_tasks/${task}/results`, undefined, ann)).status).toBe(202)
  looker.clock.advance(2)
  expect((await ask('GET', `/query_tasks/${task}/results`, undefined, ann)).status).toBe(200)

  for (const path of ['/dashboards', '/dashboards/search?title=%25pulse%25', '/dashboards/1']) await ask('GET', path)
  await ask('GET', '/looks/1')
  await ask('GET', '/looks/1/run/json')
  await ask('GET', '/lookml_models')
  await ask('GET', '/lookml_models/thelook/explores/orders')
  await ask('DELETE', `/users/${id}`)
  await ask('DELETE', '/logout')

  expect([...examiner.succeeded].sort()).toEqual(
    operationsOfTheEmulator()
      .map(({ id }) => id)
      .sort(),
  )
})

withDescription('every operation refuses a stranger and a mere member as described', async () => {
  const looker = await openLooker()
  const examiner = createExaminer()
  const admin = await loginAsAdmin(looker)
  await admin.request('POST', '/users/embed_user', { external_user_id: 'nobody' })
  const id = looker.users.find('nobody')?.id ?? ''
  const nobody = createClient(looker, memberOf(await admin.request('POST', `/login/${id}`), 'access_token'))

  for (const { id, method, path, access } of operationsOfTheEmulator()) {
    if (access === 'open') continue
    const url = path.replaceAll(/:\w+/g, '1')
    const body = ['GET', 'DELETE'].includes(method) ? undefined : {}
    const stranger = await createClient(looker, 'not-a-token').request(method, url, body)
    expect([id, stranger.status, stranger.json]).toEqual([
      id,
      401,
      { message: 'Requires authentication.', documentation_url: 'https://cloud.google.com/looker/docs/' },
    ])
    if (access === 'admin') {
      const refused = await nobody.request(method, url, body)
      expect([id, refused.status]).toEqual([id, 404])
      examiner.hold(method, url, refused)
    }
  }
})

withDescription('mistakes in what is sent are answered as described', async () => {
  const looker = await openLooker()
  const examiner = createExaminer()
  const admin = await loginAsAdmin(looker)
  examiner.hold('POST', '/login', await login(looker, looker.clientId, 'wrong'))
  const mistakes: [status: number, method: string, path: string, body?: unknown][] = [
    [404, 'POST', '/login/999'],
    [404, 'GET', '/users/999'],
    [404, 'GET', '/users/credential/embed/nobody'],
    [400, 'GET', '/users/credential/badge/1'],
    [400, 'POST', '/users/embed_user', {}],
    [422, 'PATCH', '/users/1', { is_disabled: 'yes' }],
    [400, 'PUT', '/users/1/roles', { roles: ['2'] }],
    [422, 'PUT', '/users/1/roles', ['77']],
    [404, 'POST', '/groups/99/users', { user_id: '1' }],
    [400, 'POST', '/groups/8/users', {}],
    [404, 'DELETE', '/groups/8/users/1'],
    [422, 'PATCH', '/users/1/attribute_values/10', {}],
    [404, 'DELETE', '/users/1/attribute_values/10'],
    [422, 'POST', '/embed/cookieless_session/acquire', {}],
    [422, 'POST', '/embed/cookieless_session/acquire', { ...EMBED_USER, session_length: 2_592_001 }],
    [422, 'POST', '/embed/cookieless_session/acquire', { ...EMBED_USER, models: 'thelook' }],
    [422, 'POST', '/embed/cookieless_session/acquire', { ...EMBED_USER, user_timezone: 'Europe/Paris' }],
    [422, 'PUT', '/embed/cookieless_session/generate_tokens', {}],
    [400, 'PUT', '/embed/cookieless_session/generate_tokens', { session_reference_token: 'x' }],
    [404, 'DELETE', '/embed/cookieless_session/none'],
    [422, 'POST', '/embed/sso_url', { ...EMBED_USER, target_url: '/dashboards/1' }],
    [422, 'POST', '/external_oauth_applications/user_state', { user_id: '1', access_token_expires_at: 'soon' }],
    [422, 'PATCH', '/setting', { embed_config: { domain_allowlist: 'https://app.example.com' } }],
    [422, 'POST', '/queries/run/json', { model: 'thelook' }],
    [422, 'POST', '/queries/run/json', { ...ORDERS, fields: ['orders.nothing'] }],
    [400, 'POST', '/queries/run/hologram', ORDERS],
    [403, 'POST', '/queries/run/json', { model: 'marketing', view: 'campaigns', fields: ['campaigns.name'] }],
    [404, 'GET', '/queries/999/run/json'],
    [404, 'GET', '/dashboards/999'],
    [404, 'GET', '/lookml_models/thelook/explores/nothing'],
  ]
  for (const [status, method, path, body] of mistakes) {
    const answer = await admin.request(method, path, body)
    expect([method, path, answer.status]).toEqual([method, path, status])
    examiner.hold(method, path, answer)
  }
})

withDescription('an answer with a member that Looker does not describe would be noticed', () => {
  const breaches = description?.breaches('GET', '/user', 200, 'application/json', '{"id":"1","invented":true}')
  expect(breaches).toEqual([expect.stringContaining('must NOT have additional properties')])
})
