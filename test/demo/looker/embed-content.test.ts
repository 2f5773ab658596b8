import { expect, test } from 'vitest'
import { isRecord } from '../../../demo/looker/body.ts'
import { loginAsAdmin, openLooker } from './api-client.ts'
import { acquire, ask, SHOP } from './embed-visitor.ts'

async function openShop() {
  const looker = await openLooker({ domainAllowlist: [SHOP] })
  const admin = await loginAsAdmin(looker)
  return { looker, admin }
}

function tilesOf(json: unknown): string[] {
  const tiles = isRecord(json) && Array.isArray(json['tiles']) ? json['tiles'] : []
  return tiles.map(tile => (isRecord(tile) ? String(tile['title']) : ''))
}

/** The rows of a tile, by the value of its first column. */
function rowsOf(json: unknown): Record<string, number> {
  const data = isRecord(json) && Array.isArray(json['data']) ? json['data'] : []
  return Object.fromEntries(
    data.filter(isRecord).map(row => {
      const values = Object.values(row).map(cell => (isRecord(cell) ? cell['value'] : undefined))
      return [String(values[0]), Number(values.at(-1))]
    }),
  )
}

test('people see the rows of their own attributes, and filters narrow them further', async () => {
  const { looker, admin } = await openShop()
  const all = await acquire(admin)
  const some = await acquire(admin, { external_user_id: 'ben', user_attributes: { region: 'EMEA,APAC' } })
  const byRegion = 'tiles/2/dashboards/1'
  const everywhere = rowsOf((await ask(looker, all.api, byRegion)).json)
  expect(Object.keys(everywhere)).toEqual(['AMER', 'APAC', 'EMEA', 'LATAM'])
  expect(rowsOf((await ask(looker, some.api, byRegion)).json)).toEqual({
    APAC: everywhere['APAC'],
    EMEA: everywhere['EMEA'],
  })
  const filters = (given: object) => `${byRegion}?filters=${encodeURIComponent(JSON.stringify(given))}`
  expect(rowsOf((await ask(looker, some.api, filters({ Region: 'EMEA' }))).json)).toEqual({ EMEA: everywhere['EMEA'] })
  expect(rowsOf((await ask(looker, some.api, filters({ Region: 'LATAM' }))).json)).toEqual({})
  expect(rowsOf((await ask(looker, all.api, filters({ Region: '', Nonsense: 'x' }))).json)).toEqual(everywhere)
  const coats = rowsOf((await ask(looker, all.api, filters({ Category: 'Coats' }))).json)
  expect(coats['EMEA']).toBeLessThan(everywhere['EMEA'] ?? 0)
  expect((await ask(looker, all.api, `${byRegion}?filters=[]`)).status).toBe(400)
})

test('a dashboard says what it is made of, with the values the person may choose from', async () => {
  const { looker, admin } = await openShop()
  const { api } = await acquire(admin, { user_attributes: { region: 'EMEA' } })
  const board = await ask(looker, api, 'content/dashboards/2')
  expect(tilesOf(board.json)).toEqual(['Sales by brand', 'Orders by status', 'Categories'])
  expect(board.json).toMatchObject({
    canEdit: false,
    filters: [
      { name: 'Region', field: 'orders.region', values: ['EMEA'] },
      { name: 'Category', values: ['Coats', 'Shirts', 'Shoes'] },
      { name: 'Status' },
    ],
  })
  // What a tile asks of the database is not the page's to know.
  expect(JSON.stringify(board.json)).not.toContain('total_sale_price')
})

test('content of a model that was not granted, or that needs another permission, is not found', async () => {
  const { looker, admin } = await openShop()
  const { api } = await acquire(admin)
  const statusOf = async (path: string, token = api) => (await ask(looker, token, path)).status
  expect(await statusOf('content/dashboards/3')).toBe(404)
  expect(await statusOf('tiles/7/dashboards/3')).toBe(404)
  expect(await statusOf('tiles/99/dashboards/1')).toBe(404)
  expect(await statusOf('content/looks/1')).toBe(200)
  expect(await statusOf('content/looks/2')).toBe(404)
  expect(await statusOf('content/explore/thelook/orders')).toBe(404)
  expect(await statusOf('content/extensions/1')).toBe(404)
  const explorer = await acquire(admin, { external_user_id: 'eve', permissions: ['access_data', 'explore'] })
  expect(await statusOf('content/dashboards/1', explorer.api)).toBe(404)
  expect(await statusOf('content/explore/thelook/orders', explorer.api)).toBe(200)
  expect(await statusOf('content/explore/finance/ledger', explorer.api)).toBe(404)
})

test('an explore shows the fields it is asked for', async () => {
  const { looker, admin } = await openShop()
  const { api } = await acquire(admin, { permissions: ['access_data', 'explore'] })
  const query = 'fields=orders.brand,orders.count&sorts=orders.brand&limit=2'
  const filters = encodeURIComponent(JSON.stringify({ 'orders.brand': '-Alder' }))
  const tile = await ask(looker, api, `tiles/1/explore/thelook/orders?${query}&filters=${filters}`)
  expect(Object.keys(rowsOf(tile.json))).toEqual(['Birch', 'Cedar'])
  expect((await ask(looker, api, 'tiles/1/explore/thelook/orders?fields=orders.nonsense')).status).toBe(422)
})

test('a tile at a database with OAuth wants the person’s own token there', async () => {
  const { looker, admin } = await openShop()
  const { api } = await acquire(admin, { models: ['marketing'] })
  expect((await ask(looker, api, 'content/dashboards/4')).status).toBe(200)
  expect(await ask(looker, api, 'tiles/10/dashboards/4')).toMatchObject({
    status: 403,
    json: { message: 'Database OAuth Error' },
  })
  const userId = looker.users.find('ann')?.id ?? ''
  const expiry = new Date(looker.clock.now() + 3_600_000)
  await admin.request('POST', '/external_oauth_applications/user_state', {
    user_id: userId,
    oauth_application_id: '1',
    access_token: 'token',
    access_token_expires_at: expiry.toISOString(),
  })
  expect((await ask(looker, api, 'tiles/10/dashboards/4')).status).toBe(200)
  expect(looker.oauthState(userId, '1')?.accessTokenExpiresAt).toBe(expiry.getTime())
})

test('every answer says how long the token is still good for, until it is not', async () => {
  const { looker, admin } = await openShop()
  const { api, reference } = await acquire(admin, { session_length: 700 })
  expect(await ask(looker, api, 'heartbeat')).toMatchObject({ status: 200, ttl: 600 })
  looker.clock.advance(500)
  expect(await ask(looker, api, 'content/dashboards/1')).toMatchObject({ status: 200, ttl: 100 })
  const renewed = await admin.request(
    'PUT',
    '/embed/cookieless_session/generate_tokens',
    { session_reference_token: reference },
    { 'user-agent': 'Firefox' },
  )
  const next = isRecord(renewed.json) ? String(renewed.json['api_token']) : ''
  expect((await ask(looker, next, 'heartbeat')).ttl).toBe(200)
  looker.clock.advance(100)
  expect((await ask(looker, api, 'heartbeat')).status).toBe(401)
  expect((await ask(looker, next, 'heartbeat')).status).toBe(200)
  expect((await ask(looker, 'made-up', 'heartbeat')).status).toBe(401)
  const { id = '' } = looker.users.find('ann') ?? {}
  expect(looker.calls.list.findLast(({ status }) => status === 200)).toMatchObject({
    operationId: 'embed_heartbeat',
    userId: id,
  })
  looker.users.disable(id)
  expect((await ask(looker, next, 'heartbeat')).status).toBe(401)
})
