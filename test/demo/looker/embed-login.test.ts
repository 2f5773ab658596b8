import { expect, test } from 'vitest'
import { loginAsAdmin, openLooker } from './api-client.ts'
import { acquire, BOARD, BROWSER, loginPath, refusal, SHOP, visit } from './embed-visitor.ts'

async function openShop(body: object = {}) {
  const looker = await openLooker({ domainAllowlist: [SHOP] })
  const admin = await loginAsAdmin(looker)
  return { looker, admin, tokens: await acquire(admin, body) }
}

test('an authentication token leads to the page once, and is refused after that', async () => {
  const { looker, tokens } = await openShop()
  const first = await visit(looker, loginPath(tokens))
  expect(first.status).toBe(302)
  const location = first.headers.get('location') ?? ''
  expect(location).toBe(`${BOARD}&embed_navigation_token=${tokens.navigation}`)
  expect(first.headers.get('set-cookie')).toBeNull()
  const page = await visit(looker, location)
  expect(page.status).toBe(200)
  expect(await page.text()).toContain(`data-embed-domain="${SHOP}"`)
  expect(await refusal(visit(looker, loginPath(tokens)))).toEqual([
    400,
    'Single sign on failure. The embed authentication token is unknown, used up or expired',
  ])
})

test('after thirty seconds an authentication token is too old', async () => {
  const { looker, admin, tokens } = await openShop()
  looker.clock.advance(29)
  expect((await visit(looker, loginPath(tokens))).status).toBe(302)
  const late = await acquire(admin)
  looker.clock.advance(30)
  expect((await visit(looker, loginPath(late))).status).toBe(400)
})

test("another browser's User-Agent is refused, and uses the token up", async () => {
  const { looker, tokens } = await openShop()
  const [status, reason] = await refusal(visit(looker, loginPath(tokens), { 'user-agent': 'Chrome' }))
  expect([status, reason]).toEqual([400, expect.stringContaining('User-Agent')])
  expect((await visit(looker, loginPath(tokens))).status).toBe(400)
  const page = `${BOARD}&embed_navigation_token=${tokens.navigation}`
  expect((await visit(looker, page, { 'user-agent': 'Chrome' })).status).toBe(400)
})

test('the embed domain has to be the session’s and in the allowlist', async () => {
  const { looker, admin, tokens } = await openShop()
  const elsewhere = '/embed/dashboards/1?embed_domain=https://evil.example.com&sdk=3'
  expect(await refusal(visit(looker, loginPath(tokens, elsewhere)))).toEqual([403, expect.stringContaining('acquired')])
  const nowhere = await acquire(admin)
  expect(await refusal(visit(looker, loginPath(nowhere, '/embed/dashboards/1?sdk=3')))).toEqual([
    400,
    expect.stringContaining('embed_domain is missing'),
  ])
  const unlisted = await acquire(admin, { embed_domain: 'https://evil.example.com' })
  expect(await refusal(visit(looker, loginPath(unlisted, elsewhere)))).toEqual([
    403,
    expect.stringContaining('allowlist'),
  ])
})

test('nothing but an embed path can be the target', async () => {
  const { looker, admin } = await openShop()
  for (const target of [
    '//evil.example.com/embed/?',
    'https://evil.example.com/embed/?',
    '/embed/../login?',
    '/dashboards/1?',
  ]) {
    const answer = await visit(looker, loginPath(await acquire(admin), target))
    expect([target, answer.status, answer.headers.get('location')]).toEqual([target, 400, null])
  }
})

test('a navigation token opens pages for as long as it lives, unless its session is ended', async () => {
  const { looker, admin, tokens } = await openShop()
  const second = `/embed/dashboards/2?embed_domain=${SHOP}&sdk=3&embed_navigation_token=${tokens.navigation}`
  expect((await visit(looker, second)).status).toBe(200)
  looker.clock.advance(599)
  expect((await visit(looker, second)).status).toBe(200)
  looker.clock.advance(1)
  expect((await visit(looker, second)).status).toBe(401)
  const { reference, navigation } = await acquire(admin)
  expect((await admin.request('DELETE', `/embed/cookieless_session/${reference}`)).status).toBe(204)
  expect((await visit(looker, `${BOARD}&embed_navigation_token=${navigation}`)).status).toBe(401)
  expect((await visit(looker, BOARD)).status).toBe(401)
})

test('only the allowlist may have the pages in frames, refusals too', async () => {
  const { looker, tokens } = await openShop()
  const pages = [`${BOARD}&embed_navigation_token=${tokens.navigation}`, BOARD, loginPath(tokens)]
  for (const path of pages) {
    const policy = (await visit(looker, path)).headers.get('content-security-policy')
    expect(policy).toMatch(new RegExp(`frame-ancestors 'self' ${SHOP}$`))
    expect(policy).toMatch(/^default-src 'none'; script-src 'self';/)
  }
})

test('the record of calls knows the pages and none of their secrets', async () => {
  const { looker, tokens } = await openShop()
  await visit(looker, loginPath(tokens))
  await visit(looker, `${BOARD}&embed_navigation_token=${tokens.navigation}`)
  const pages = looker.calls.list.filter(({ operationId }) => operationId.startsWith('embed_'))
  expect(pages).toMatchObject([
    { operationId: 'embed_login', path: '/login/embed/', status: 302, userAgent: BROWSER },
    { operationId: 'embed_page', path: '/embed/dashboards/1', status: 200 },
  ])
  for (const token of Object.values(tokens)) expect(JSON.stringify(looker.calls.list)).not.toContain(token)
})

test('what looks like markup in a refusal is text', async () => {
  const { looker, tokens } = await openShop({ embed_domain: undefined })
  const target = `/embed/dashboards/1?embed_domain=${encodeURIComponent('<script>')}`
  const answer = await visit(looker, loginPath(tokens, target))
  expect(answer.status).toBe(403)
  expect(await answer.text()).not.toContain('<script>')
})
