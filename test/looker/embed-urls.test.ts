import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { ACQUIRE, EMBED_SECRET, FIREFOX, PUBLIC_URL, scopeOf, startTurnable } from './embed-replica.ts'

const TARGET = '/embed/dashboards/42?Region=EMEA&Name=a%26b&embed_domain=https://app.example.com&sdk=3'

/** What Looker signs, in the order of its documentation; the optional ones only where they are in the URL. */
const SIGNED = ['nonce', 'time', 'session_length', 'external_user_id', 'permissions', 'models']
const OPTIONAL = ['group_ids', 'external_group_id', 'user_attributes']

/** Judges a signed URL as Looker does, from nothing but the URL and the secret. */
function holds(url: URL, algorithm: 'sha256' | 'sha1', secret: string): boolean {
  const names = [...SIGNED, ...OPTIONAL.filter(name => url.searchParams.has(name)), 'access_filters']
  const lines = [url.host, url.pathname, ...names.map(name => url.searchParams.get(name) ?? 'missing')]
  const signature = createHmac(algorithm, secret).update(lines.join('\n')).digest('base64')
  return url.searchParams.get('signature') === signature
}

const parameter = (url: URL, name: string): unknown => JSON.parse(url.searchParams.get(name) ?? 'null')

test.each([
  ['hmac/sha-256', 'sha256', 'sha1'],
  ['hmac/sha-1', 'sha1', 'sha256'],
] as const)('signs a URL with an embed secret: %s', async (algorithm, right, wrong) => {
  const { urls, looker, clock, count } = await startTurnable()
  const scope = scopeOf('Zoë, ana', { groupIds: ['8'], userAttributes: { region: 'EMEA & "more"' }, firstName: 'Zoë' })
  const signer = urls({ secret: EMBED_SECRET, algorithm })
  const { url: secretUrl, lookerUserId } = await signer.sign(scope, TARGET, {})
  const url = new URL(secretUrl.reveal())
  expect(holds(url, right, EMBED_SECRET)).toBe(true)
  expect([holds(url, wrong, EMBED_SECRET), holds(url, right, 'another')]).toEqual([false, false])
  expect(url.origin).toBe(looker.url)
  expect(url.pathname).toBe(`/login/embed/${encodeURIComponent(TARGET)}`)
  expect(
    Object.fromEntries([...url.searchParams.keys()].map(name => [name, name === 'signature' || parameter(url, name)])),
  ).toMatchObject({
    time: Math.floor(clock.now() / 1000),
    session_length: 3600,
    external_user_id: 'corp|Zoë, ana',
    permissions: scope.permissions,
    models: ['thelook'],
    group_ids: ['8'],
    user_attributes: { region: 'EMEA & "more"' },
    access_filters: {},
    force_logout_login: true,
    first_name: 'Zoë',
  })
  expect(looker.users.find(scope.externalUserId)?.id).toBe(lookerUserId)

  looker.calls.reset()
  const next = new URL((await signer.sign(scope, TARGET, {})).url.reveal())
  expect(next.searchParams.get('nonce')).not.toBe(url.searchParams.get('nonce'))
  // Once the person is known, Looker is not asked for anything.
  expect(count(ACQUIRE) + count('user_for_credential') + count('create_sso_embed_url')).toBe(0)
})

test('has Looker sign where there is no embed secret', async () => {
  const { urls, client, looker, count } = await startTurnable()
  const scope = scopeOf('ben', { userAttributes: { region: 'EMEA' } })
  const signed = await Promise.all([1, 2].map(() => urls().sign(scope, TARGET, { requestId: 'request-1' })))
  const [first, second] = signed.map(({ url }) => new URL(url.reveal())) as [URL, URL]
  expect(first.origin).toBe(looker.url)
  expect(decodeURIComponent(first.pathname)).toBe(`/login/embed/${TARGET}`)
  expect([parameter(first, 'external_user_id'), parameter(first, 'session_length')]).toEqual(['corp|ben', 3600])
  expect([parameter(first, 'permissions'), parameter(first, 'models')]).toEqual([scope.permissions, ['thelook']])
  expect(parameter(first, 'user_attributes')).toEqual({ region: 'EMEA' })
  expect(first.searchParams.get('nonce')).not.toBe(second.searchParams.get('nonce'))
  expect([count('create_sso_embed_url'), count(ACQUIRE)]).toEqual([2, 1])
  const setting = await client.call('get_setting', (sdk, options) => sdk.get_setting('embed_config', options))
  expect(setting.embed_config?.domain_allowlist).toEqual([PUBLIC_URL])
})

test('a token asked for beside a signed URL does not end the session that the URL begins', async () => {
  const { urls, broker, count } = await startTurnable()
  await urls({ secret: EMBED_SECRET }).sign(scopeOf('both'), TARGET, {})
  await broker.tokenFor(scopeOf('both'), {})
  expect(count(ACQUIRE)).toBe(1)
})

test('signs nothing for whoever is disabled at Looker', async () => {
  const { urls, sessions, looker } = await startTurnable()
  const { lookerUserId } = await sessions.acquire(scopeOf('fired'), FIREFOX, {})
  looker.users.disable(lookerUserId)
  await expect(sessions.acquire(scopeOf('fired'), FIREFOX, {})).rejects.toThrow('looker-user-disabled')
  await expect(urls({ secret: EMBED_SECRET }).sign(scopeOf('fired'), TARGET, {})).rejects.toThrow(
    'looker-user-disabled',
  )
})

test('what Looker answers instead of a URL is not handed on', async () => {
  const { urls, looker } = await startTurnable()
  const operation = 'create_sso_embed_url'
  looker.faults.inject({ kind: 'answer', status: 200, body: '{"url":"soon"}', operation })
  await expect(urls().sign(scopeOf('ana'), TARGET, {})).rejects.toMatchObject({
    failure: { kind: 'looker-unavailable', reason: 'bad-answer' },
  })
  looker.faults.inject({ kind: 'answer', status: 404, body: '{"message":"Not found"}', operation })
  await expect(urls().sign(scopeOf('ana'), TARGET, {})).rejects.toMatchObject({
    failure: { kind: 'looker-refused', operation, status: 404 },
  })
})
