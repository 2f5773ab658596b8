import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTurnableWorld, type TurnableWorld } from '../looker/turnable.ts'
import { expectProblem } from '../support/problem.ts'
import { GRANTS, json, type Sidecar, type Written } from '../support/world.ts'

let world: TurnableWorld
let sidecar: Sidecar
beforeAll(async () => {
  world = await startTurnableWorld()
  sidecar = await world.sidecar({ cors: { origins: ['https://portal.example.com'] } })
})
afterAll(() => world.close())

/** As Embed SDK 2.0.8 asks for a signed URL. */
async function signed(src: string, { from = sidecar, query = '' } = {}): Promise<Response> {
  const headers = { authorization: `Bearer ${await world.subject('ana')}`, 'cache-control': 'no-cache' }
  return from.fetch(`/sallyport/looker/embed/url?src=${encodeURIComponent(src)}${query}`, { headers })
}

/** Path and query of the content that a signed URL is for. */
async function contentOf(response: Response): Promise<string> {
  const { url } = await json(response)
  return decodeURIComponent(new URL(String(url)).pathname.replace('/login/embed/', ''))
}

test('gives a URL for the content as it was asked for, and for one use', async () => {
  const src = '/embed/dashboards/42?Region=EMEA&Name=a%26b&embed_domain=http://127.0.0.1:8080&sdk=3'
  const answers = await Promise.all([signed(src), signed(src)])
  expect(answers.map(({ status, headers }) => [status, headers.get('cache-control')])).toEqual([
    [200, 'no-store'],
    [200, 'no-store'],
  ])
  const bodies = await Promise.all(answers.map(response => json(response.clone())))
  expect(bodies).toEqual([{ url: expect.any(String) }, { url: expect.any(String) }])
  expect(bodies[0]?.['url']).not.toBe(bodies[1]?.['url'])
  expect(await contentOf(answers[0])).toBe(src)
})

test('the page that is told what happens in the iframe is one of ours', async () => {
  expect(await contentOf(await signed('/embed/looks/7'))).toBe(
    '/embed/looks/7?embed_domain=http%3A%2F%2F127.0.0.1%3A8080',
  )
  expect(await contentOf(await signed('/embed/looks/7?a=b'))).toMatch(/\?a=b&embed_domain=/)
  const portal = '/embed/looks/7?embed_domain=https://portal.example.com'
  expect(await contentOf(await signed(portal))).toBe(portal)
  for (const domain of ['https://evil.example', 'http://127.0.0.1:8080.evil.example', '*', '']) {
    const response = await signed(`/embed/looks/7?embed_domain=http://127.0.0.1:8080&embed_domain=${domain}`)
    expect((await expectProblem(response, 400, 'bad-request')).detail).toContain('embed_domain')
  }
})

test.each([
  '',
  'embed/looks/7',
  '/looks/7',
  '/embed',
  '/embed/',
  '/embedded/looks/7',
  '//evil.example/embed/looks/7',
  '/embed//looks/7',
  'https://evil.example/embed/looks/7',
  '/embed/../admin/users',
  '/embed/%2e%2e/admin/users',
  '/embed/..%2fadmin',
  '/embed\\looks\\7',
  '/embed/looks/7#/../x',
  '/embed/looks/7?a=b#c',
  '/embed/looks/7?a=\u0000',
  '/embed/looks/7?a=\r\nHost: evil.example',
  '/embed/looks/%ff',
  '/login/embed/x',
])('signs nothing but the path of an embed page: %j', async src => {
  const calls = world.looker.calls.count('create_sso_embed_url')
  await expectProblem(await signed(src), 400, 'bad-request')
  expect(world.looker.calls.count('create_sso_embed_url')).toBe(calls)
})

test('src is sent once', async () => {
  await expectProblem(await signed('/embed/looks/7', { query: '&src=%2Fembed%2Flooks%2F8' }), 400, 'bad-request')
})

test.each([
  '/embed/explore/thelook/orders?qid=abc',
  '/embed/explore/thelook::orders',
  '/embed/query/thelook/orders?qid=abc',
  '/embed/dashboards/thelook::business_pulse',
  '/embed/dashboards/thelook%3A%3Abusiness_pulse',
  '/embed/dashboards-legacy/thelook::business_pulse',
  '/embed/sso/dashboards/thelook::business_pulse',
  '/embed/dashboards/42',
  '/embed/looks/7',
  '/embed/query-visualization/O78fF73U3qNe3SelryY838',
  '/embed/extensions/thelook::app',
  '/embed/merge?mid=1',
  '/embed/preload/',
])('signs for the models of the grant, and for what does not tell its model: %s', async src => {
  expect((await signed(src)).status).toBe(200)
})

test.each([
  '/embed/explore/finance/orders',
  '/embed/explore/finance::orders',
  '/embed/explore/thelook%20/orders',
  '/embed/explore/THELOOK/orders',
  '/embed/explore',
  '/embed/query/finance/orders',
  '/embed/dashboards/finance::pulse',
  '/embed/dashboards/finance%3A%3Apulse',
  '/embed/dashboards/::pulse',
  '/embed/dashboards-next/finance::pulse',
  '/embed/Dashboards/finance::pulse',
  '/embed/sso/explore/finance/orders',
])('refuses a model that the grant does not have: %s', async src => {
  const { detail } = await expectProblem(await signed(src), 403, 'forbidden')
  expect(detail).toContain('explorer')
})

test('a grant that leaves its models to groups leaves the judgement to Looker', async () => {
  const grants = [{ ...GRANTS[0], models: [], groupIds: ['8'] }]
  expect((await signed('/embed/explore/finance/orders', { from: await world.sidecar({ grants }) })).status).toBe(200)
  const none = [{ ...GRANTS[0], models: [] }]
  const response = await signed('/embed/explore/finance/orders', { from: await world.sidecar({ grants: none }) })
  await expectProblem(response, 403, 'forbidden')
})

test('with an embed secret in the configuration Looker is not asked to sign', async () => {
  const looker: Written = {
    ...(world.written()['looker'] as Written),
    webUrl: 'https://looker.example.com',
    embed: { sessionLengthSeconds: 1800, secret: { fromEnv: 'EMBED_SECRET' }, algorithm: 'hmac/sha-1' },
  }
  const from = await world.sidecar({ looker }, { env: { EMBED_SECRET: 'a secret that Looker made' } })
  const calls = world.looker.calls.count('create_sso_embed_url')
  const { url } = await json(signed('/embed/dashboards/42', { from }))
  expect(world.looker.calls.count('create_sso_embed_url')).toBe(calls)
  const { origin, searchParams } = new URL(String(url))
  expect([origin, searchParams.get('session_length')]).toEqual(['https://looker.example.com', '1800'])
  expect(searchParams.get('signature')).toMatch(/^[\w+/]{27}=$/)
})
