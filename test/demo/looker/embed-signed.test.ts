import { createHmac, randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import type { EmulatedLooker } from '../../../demo/looker/emulated-looker.ts'
import { loginAsAdmin, memberOf, openLooker } from './api-client.ts'
import { BOARD, refusal, SHOP, visit } from './embed-visitor.ts'

/** As Looker's documentation has it: each on a line of its own, in this order. */
const LINES = ['nonce', 'time', 'session_length', 'external_user_id', 'permissions', 'models', 'group_ids']
const LAST_LINES = ['external_group_id', 'user_attributes', 'access_filters']

interface Signing {
  readonly hash?: 'sha1' | 'sha256'
  readonly secret?: string
  /** Members in place of the usual ones; `undefined` leaves one out. */
  readonly members?: Readonly<Record<string, unknown>>
  /** Put in after the signature was made. */
  readonly tampered?: Readonly<Record<string, string>>
}

function signedPath(looker: EmulatedLooker, { hash = 'sha256', secret, members, tampered }: Signing = {}): string {
  const path = `/login/embed/${encodeURIComponent(BOARD)}`
  const given: Record<string, unknown> = {
    nonce: randomUUID(),
    time: Math.floor(looker.clock.now() / 1000),
    session_length: 600,
    external_user_id: 'ann',
    permissions: ['access_data', 'see_user_dashboards'],
    models: ['thelook'],
    group_ids: ['8'],
    user_attributes: { region: 'EMEA' },
    access_filters: {},
    first_name: 'Ann',
    force_logout_login: true,
    ...members,
  }
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined) query.set(name, JSON.stringify(value))
  }
  const lines = [...LINES, ...LAST_LINES].flatMap(name => query.get(name) ?? [])
  const text = [new URL(looker.url).host, path, ...lines].join('\n')
  query.set(
    'signature',
    createHmac(hash, secret ?? looker.embedSecret)
      .update(text)
      .digest('base64'),
  )
  for (const [name, value] of Object.entries(tampered ?? {})) query.set(name, value)
  return `${path}?${query.toString()}`
}

const openShop = (options = {}) => openLooker({ domainAllowlist: [SHOP], ...options })

test('a URL signed with the embed secret makes the user and gives the browser a session, once', async () => {
  const looker = await openShop()
  const path = signedPath(looker)
  const answer = await visit(looker, path)
  expect(answer.status).toBe(302)
  expect(answer.headers.get('location')).toBe(BOARD)
  const [cookie = '', ...attributes] = (answer.headers.get('set-cookie') ?? '').split('; ')
  expect(attributes).toEqual(['Path=/', 'SameSite=None', 'Secure', 'HttpOnly'])
  expect(looker.users.find('ann')).toMatchObject({
    firstName: 'Ann',
    permissions: ['access_data', 'see_user_dashboards'],
    groupIds: ['1', '8'],
    attributes: { region: 'EMEA' },
  })
  expect((await visit(looker, BOARD, { cookie })).status).toBe(200)
  expect((await visit(looker, BOARD)).status).toBe(401)
  const content = await visit(looker, '/api/internal/embed/content/dashboards/1', { cookie })
  expect(await content.json()).toMatchObject({ title: 'Business pulse' })
  expect(content.headers.get('x-embed-ttl')).toBe('600')
  expect(await refusal(visit(looker, path))).toEqual([401, expect.stringContaining("'nonce' has been used")])
  looker.clock.advance(600)
  expect((await visit(looker, BOARD, { cookie })).status).toBe(401)
})

test('an older secret signs with SHA-1', async () => {
  const looker = await openShop({ embedAlgorithm: 'hmac/sha-1' })
  expect((await visit(looker, signedPath(looker, { hash: 'sha1' }))).status).toBe(302)
  expect((await visit(looker, signedPath(looker))).status).toBe(401)
})

test('a signature that does not hold is refused, and nobody comes to be by it', async () => {
  const looker = await openShop()
  const forged: Signing[] = [
    { secret: 'guess' },
    { tampered: { permissions: '["access_data","see_user_dashboards","explore"]' } },
    { tampered: { external_user_id: '"root"' } },
    { tampered: { external_group_id: '"other"' } },
    { tampered: { signature: '' } },
    { hash: 'sha1' },
  ]
  for (const signing of forged) {
    expect(await refusal(visit(looker, signedPath(looker, signing)))).toEqual([
      401,
      "Single sign on failure. 'signature' param failed to authenticate",
    ])
  }
  const elsewhere = signedPath(looker).replace('dashboards%2F1', 'dashboards%2F2')
  expect((await visit(looker, elsewhere)).status).toBe(401)
  expect(looker.users.find('ann')).toBeUndefined()
  expect(looker.users.find('root')).toBeUndefined()
})

test('a URL is good for five minutes, as far as its time goes', async () => {
  const looker = await openShop()
  const now = Math.floor(looker.clock.now() / 1000)
  for (const [time, status] of [
    [now - 301, 401],
    [now - 298, 302],
    [now + 298, 302],
    [now + 302, 401],
    ['now', 401],
  ]) {
    expect([time, (await visit(looker, signedPath(looker, { members: { time } }))).status]).toEqual([time, status])
  }
})

test('what has to be there has to be there, and to be JSON', async () => {
  const looker = await openShop()
  for (const name of ['nonce', 'time', 'session_length', 'external_user_id', 'models', 'access_filters']) {
    const path = signedPath(looker, { members: { [name]: undefined } })
    expect(await refusal(visit(looker, path))).toEqual([400, `Single sign on failure. Missing: ${name}`])
  }
  expect(await refusal(visit(looker, signedPath(looker, { tampered: { external_user_id: 'ann' } })))).toEqual([
    400,
    expect.stringContaining("'external_user_id' is not JSON"),
  ])
})

test('a domain that is not in the allowlist is refused before anything else happens', async () => {
  const looker = await openLooker()
  expect(await refusal(visit(looker, signedPath(looker)))).toEqual([403, expect.stringContaining('allowlist')])
})

test('a URL made by the API works once, and makes the user only then', async () => {
  const looker = await openShop()
  const admin = await loginAsAdmin(looker)
  const answer = await admin.request('POST', '/embed/sso_url', {
    target_url: `${looker.url}${BOARD}`,
    external_user_id: 'ben',
    first_name: 'Ben Ö.',
    permissions: ['access_data', 'see_user_dashboards'],
    models: ['thelook'],
    external_group_id: 'corp',
    user_attributes: { region: 'APAC' },
    embed_domain: SHOP,
  })
  const { pathname, search } = new URL(memberOf(answer, 'url'))
  expect(looker.users.find('ben')).toBeUndefined()
  expect((await visit(looker, pathname + search)).headers.get('location')).toBe(BOARD)
  expect(looker.users.find('ben')).toMatchObject({
    firstName: 'Ben Ö.',
    externalGroupId: 'corp',
    attributes: { region: 'APAC' },
  })
  expect((await visit(looker, pathname + search)).status).toBe(401)
})
