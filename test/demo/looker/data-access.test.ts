import { expect, test } from 'vitest'
import { isRecord } from '../../../demo/looker/body.ts'
import { type ApiClient, loginAsAdmin, memberOf, openLooker, openPerson } from './api-client.ts'

const BY_REGION = {
  model: 'thelook',
  view: 'orders',
  fields: ['orders.region', 'orders.count'],
  sorts: ['orders.region'],
}
const LEDGER = { model: 'finance', view: 'ledger', fields: ['ledger.department', 'ledger.total_amount'] }

const run = (client: ApiClient, query: object, format = 'json', parameters = '') =>
  client.request('POST', `/queries/run/${format}${parameters}`, query)

async function open() {
  const looker = await openLooker()
  return { looker, admin: await loginAsAdmin(looker) }
}

test('a query of one granted model answers its rows, the same at every start', async () => {
  const { looker, admin } = await open()
  const ann = await openPerson(looker, admin, 'ann')
  const answer = await run(ann, BY_REGION)
  expect(answer.json).toHaveLength(4)
  expect((await run(ann, { ...BY_REGION, fields: ['orders.count'], sorts: [] })).json).toEqual([
    { 'orders.count': 360 },
  ])
  const other = await open()
  const ben = await openPerson(other.looker, other.admin, 'ben')
  expect((await run(ben, BY_REGION)).json).toEqual(answer.json)
})

test('without the permission or the model there is nothing to be found', async () => {
  const { looker, admin } = await open()
  const viewer = await openPerson(looker, admin, 'viewer', { permissions: ['access_data', 'see_looks'] })
  const explorer = await openPerson(looker, admin, 'explorer')
  expect((await run(viewer, BY_REGION)).status).toBe(404)
  expect((await run(explorer, BY_REGION)).status).toBe(200)
  expect((await run(explorer, LEDGER)).status).toBe(404)
  expect((await explorer.request('GET', '/lookml_models/thelook/explores/orders')).status).toBe(200)
  expect((await explorer.request('GET', '/lookml_models/finance/explores/ledger')).status).toBe(404)
  expect((await viewer.request('GET', '/lookml_models/thelook/explores/orders')).status).toBe(404)
  const models = await explorer.request('GET', '/lookml_models?fields=name')
  expect(models.json).toEqual([{ name: 'thelook' }])
})

test('a user attribute walls off the rows of other regions, whatever the query asks for', async () => {
  const { looker, admin } = await open()
  const north = await openPerson(looker, admin, 'north', { user_attributes: { region: 'EMEA' } })
  const both = await openPerson(looker, admin, 'both', { user_attributes: { region: 'EMEA,AMER' } })
  const regionsOf = async (client: ApiClient, query: object) => {
    const { json } = await run(client, { ...BY_REGION, fields: ['orders.region'], ...query })
    return Array.isArray(json) ? json.map(row => row['orders.region']) : json
  }
  expect(await regionsOf(north, {})).toEqual(['EMEA'])
  expect(await regionsOf(both, {})).toEqual(['AMER', 'EMEA'])
  expect(await regionsOf(north, { filters: { 'orders.region': 'AMER' } })).toEqual([])
})

test('a changed attribute, model or role counts at once, for tokens given before it too', async () => {
  const { looker, admin } = await open()
  const ann = await openPerson(looker, admin, 'ann')
  await admin.request('PATCH', `/users/${ann.id}/attribute_values/10`, { value: 'LATAM' })
  expect((await run(ann, BY_REGION)).json).toHaveLength(1)
  await admin.request('DELETE', `/users/${ann.id}/attribute_values/10`)
  expect((await run(ann, BY_REGION)).json).toHaveLength(4)

  await admin.request('POST', '/groups/9/users', { user_id: ann.id })
  const ledger = await run(ann, LEDGER)
  // The group brings the Finance role and, as its attribute, one department.
  expect(ledger.json).toEqual([expect.objectContaining({ 'ledger.department': 'treasury' })])
  await admin.request('DELETE', `/groups/9/users/${ann.id}`)
  expect((await run(ann, LEDGER)).status).toBe(404)

  await admin.request('PUT', `/users/${ann.id}/roles`, ['6'])
  expect((await run(ann, LEDGER)).json).toHaveLength(3)
  await openPerson(looker, admin, 'ann', { models: [] })
  expect((await run(ann, BY_REGION)).status).toBe(404)
})

test('an embed user made without a session may do nothing', async () => {
  const { looker, admin } = await open()
  await admin.request('POST', '/users/embed_user', { external_user_id: 'bare' })
  const id = looker.users.find('bare')?.id
  const token = memberOf(await admin.request('POST', `/login/${id}`), 'access_token')
  const headers = { authorization: `Bearer ${token}` }
  expect((await admin.request('GET', '/user', undefined, headers)).json).toMatchObject({ id, role_ids: [] })
  expect((await admin.request('POST', '/queries/run/json', BY_REGION, headers)).status).toBe(404)
  expect((await admin.request('GET', '/dashboards', undefined, headers)).json).toEqual([])
})

test('dashboards and looks show to those who may see them in their model', async () => {
  const { looker, admin } = await open()
  const shop = await openPerson(looker, admin, 'shop')
  const books = await openPerson(looker, admin, 'books', {
    models: ['finance'],
    permissions: ['access_data', 'see_looks'],
  })
  const idsOf = async (client: ApiClient, path: string) => (await client.request('GET', `${path}?fields=id`)).json
  expect(await idsOf(shop, '/dashboards')).toEqual([{ id: '1' }, { id: '2' }])
  expect(await idsOf(shop, '/dashboards/search')).toEqual([{ id: '1' }, { id: '2' }])
  expect(await idsOf(books, '/dashboards')).toEqual([])
  expect((await shop.request('GET', '/dashboards/3')).status).toBe(404)
  expect((await shop.request('GET', '/looks/1/run/json')).json).toHaveLength(4)
  expect((await shop.request('GET', '/looks/2')).status).toBe(404)
  expect((await books.request('GET', '/looks/2/run/csv')).status).toBe(200)
})

test('who may look at a dashboard can run its tiles without explore', async () => {
  const { looker, admin } = await open()
  const viewer = await openPerson(looker, admin, 'viewer', {
    permissions: ['access_data', 'see_user_dashboards'],
    user_attributes: { region: 'APAC' },
  })
  const board = await viewer.request('GET', '/dashboards/1?fields=dashboard_elements(title,query_id)')
  expect(board.json).toMatchObject({ dashboard_elements: [{}, { title: 'Sales by region', query_id: '1' }, {}] })
  const rows = await viewer.request('GET', '/queries/1/run/json')
  expect(rows.json).toEqual([{ 'orders.region': 'APAC', 'orders.total_sale_price': expect.any(Number) }])
  expect((await viewer.request('POST', '/queries', BY_REGION)).status).toBe(404)
})

test('filters, sorts and limits do what they say', async () => {
  const { looker, admin } = await open()
  const ann = await openPerson(looker, admin, 'ann')
  const rowsOf = async (query: object, parameters = '') => {
    const { json } = await run(ann, { model: 'thelook', view: 'orders', limit: '-1', ...query }, 'json', parameters)
    return (Array.isArray(json) ? json : []).filter(isRecord)
  }
  const all = await rowsOf({ fields: ['orders.id', 'orders.sale_price', 'orders.brand', 'orders.created_date'] })
  const count = async (filters: Record<string, string>) => (await rowsOf({ fields: ['orders.id'], filters })).length
  const expected = (test: (row: Record<string, unknown>) => boolean) => all.filter(test).length

  expect(all).toHaveLength(360)
  expect(await count({ 'orders.brand': 'Alder, Elm' })).toBe(
    expected(row => row['orders.brand'] === 'Alder' || row['orders.brand'] === 'Elm'),
  )
  expect(await count({ 'orders.brand': '-Alder' })).toBe(expected(row => row['orders.brand'] !== 'Alder'))
  expect(await count({ 'orders.brand': 'Al%' })).toBe(expected(row => row['orders.brand'] === 'Alder'))
  expect(await count({ 'orders.sale_price': '>100' })).toBe(expected(row => Number(row['orders.sale_price']) > 100))
  expect(await count({ 'orders.created_date': '2025-03' })).toBe(
    expected(row => String(row['orders.created_date']).startsWith('2025-03')),
  )
  expect(await count({ 'orders.created_date': 'after 2025-07-01' })).toBe(
    expected(row => String(row['orders.created_date']) >= '2025-07-01'),
  )
  const dearest = await rowsOf(
    { fields: ['orders.id', 'orders.sale_price'], sorts: ['orders.sale_price desc 0'] },
    '?limit=5',
  )
  const prices = all.map(row => Number(row['orders.sale_price'])).sort((a, b) => b - a)
  expect(dearest.map(row => row['orders.sale_price'])).toEqual(prices.slice(0, 5))
  const busy = await rowsOf({ fields: ['orders.region', 'orders.count'], filters: { 'orders.count': '>1000' } })
  expect(busy).toEqual([])
})

test('labels follow the locale of the person, and tables are quoted where they must be', async () => {
  const { looker, admin } = await open()
  const ann = await openPerson(looker, admin, 'ann', { user_attributes: { locale: 'fr_FR' } })
  const csv = await run(ann, BY_REGION, 'csv')
  expect(csv.headers.get('content-type')).toContain('text/csv')
  expect(csv.text.split('\n')[0]).toBe('Commandes Région,Commandes Nombre')
  expect((await run(ann, BY_REGION, 'txt')).text.split('\n')[1]).toMatch(/^AMER\t\d+$/)
  const detail = await run(ann, BY_REGION, 'json_detail')
  expect(detail.json).toMatchObject({
    fields: {
      dimensions: [{ name: 'orders.region', label: 'Commandes Région' }],
      measures: [{ name: 'orders.count' }],
    },
    data: expect.arrayContaining([
      { 'orders.region': { value: 'AMER' }, 'orders.count': { value: expect.any(Number) } },
    ]),
  })
})

test('a model behind per-user OAuth answers only while the person has a usable token there', async () => {
  const { looker, admin } = await open()
  const ann = await openPerson(looker, admin, 'ann', { models: ['marketing'] })
  const query = { model: 'marketing', view: 'campaigns', fields: ['campaigns.count'] }
  const grant = (more: object) =>
    admin.request('POST', '/external_oauth_applications/user_state', {
      user_id: ann.id,
      oauth_application_id: '1',
      access_token: 'ya29',
      access_token_expires_at: new Date(looker.clock.now() + 600_000).toISOString(),
      ...more,
    })
  expect((await run(ann, query)).status).toBe(403)
  expect((await grant({})).json).toEqual({ user_id: ann.id, oauth_application_id: '1' })
  expect((await run(ann, query)).json).toEqual([{ 'campaigns.count': 40 }])
  looker.clock.advance(601)
  expect((await run(ann, query)).status).toBe(403)
  await grant({ access_token_expires_at: '2020-01-01T00:00:00Z', refresh_token: '1//r' })
  expect((await run(ann, query)).status).toBe(200)
  expect((await grant({ oauth_application_id: '99' })).status).toBe(404)
})

test("a query task is its maker's, runs a while, and then has its results", async () => {
  const { looker, admin } = await open()
  const [ann, ben] = [await openPerson(looker, admin, 'ann'), await openPerson(looker, admin, 'ben')]
  const query_id = memberOf(await ann.request('POST', '/queries', BY_REGION), 'id')
  const task = memberOf(await ann.request('POST', '/query_tasks', { query_id, result_format: 'json' }), 'id')
  expect((await ann.request('GET', `/query_tasks/${task}/results`)).status).toBe(202)
  looker.clock.advance(1)
  expect((await ann.request('GET', `/query_tasks/${task}`)).json).toMatchObject({ status: 'complete' })
  expect((await ann.request('GET', `/query_tasks/${task}/results`)).json).toHaveLength(4)
  expect((await ben.request('GET', `/query_tasks/${task}/results`)).status).toBe(404)
})
