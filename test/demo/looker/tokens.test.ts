import { expect, test } from 'vitest'
import { createClient, login, loginAs, loginAsAdmin, memberOf, openLooker, openPerson, send } from './api-client.ts'

test('each login gives another token, and all of them hold for an hour', async () => {
  const looker = await openLooker()
  const [first, second] = [await login(looker), await login(looker)]
  expect(first.json).toEqual({ access_token: expect.any(String), token_type: 'Bearer', expires_in: 3600 })
  const clients = [first, second].map(answer => createClient(looker, memberOf(answer, 'access_token')))
  expect(new Set(clients.map(({ token }) => token)).size).toBe(2)

  looker.clock.advance(3599)
  for (const client of clients) expect((await client.request('GET', '/user')).status).toBe(200)
  looker.clock.advance(1)
  for (const client of clients) expect((await client.request('GET', '/user')).status).toBe(401)
})

test('credentials count only in a form, and wrong ones are not found', async () => {
  const looker = await openLooker()
  const { clientId: client_id, clientSecret: client_secret } = looker
  expect((await login(looker, client_id, 'wrong')).status).toBe(404)
  expect((await login(looker, 'wrong', client_secret)).json).toMatchObject({ message: 'Not found' })
  const asJson = await send(looker, 'POST', '/login', {
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ client_id, client_secret }),
  })
  expect(asJson.status).toBe(404)
  const inQuery = await send(looker, 'POST', `/login?client_id=${client_id}&client_secret=${client_secret}`, {})
  expect(inQuery.status).toBe(404)
  expect(JSON.stringify(looker.calls.list)).not.toContain(client_secret)
})

test('a token may be presented as Bearer or as token, and nothing else gets in', async () => {
  const looker = await openLooker()
  const { token } = await loginAsAdmin(looker)
  const statusOf = async (authorization: string) =>
    (await send(looker, 'GET', '/user', { headers: { authorization } })).status
  expect(await statusOf(`Bearer ${token}`)).toBe(200)
  expect(await statusOf(`token ${token}`)).toBe(200)
  expect(await statusOf(`Basic ${token}`)).toBe(401)
  expect(await statusOf(token)).toBe(401)
  expect((await send(looker, 'GET', '/user', {})).status).toBe(401)
})

test('an administrator gets a fresh token of another user at each call, and nobody else does', async () => {
  const looker = await openLooker()
  const admin = await loginAsAdmin(looker)
  const ann = await openPerson(looker, admin, 'ann')
  const again = await loginAs(admin, looker, ann.id)
  expect(again.token).not.toBe(ann.token)
  expect((await again.request('GET', '/user')).json).toMatchObject({ id: ann.id, first_name: 'Embed' })
  expect((await ann.request('POST', `/login/${looker.serviceUserId}`)).status).toBe(404)
  expect((await admin.request('POST', '/login/999')).status).toBe(404)
})

test('logout ends the token presented and no other', async () => {
  const looker = await openLooker()
  const admin = await loginAsAdmin(looker)
  const ann = await openPerson(looker, admin, 'ann')
  const again = await loginAs(admin, looker, ann.id)
  expect((await ann.request('DELETE', '/logout')).status).toBe(204)
  expect((await ann.request('GET', '/user')).status).toBe(401)
  expect((await ann.request('DELETE', '/logout')).status).toBe(401)
  expect((await again.request('GET', '/user')).status).toBe(200)
})

test('disabling a user ends their tokens and session, and gives them no new ones', async () => {
  const looker = await openLooker()
  const admin = await loginAsAdmin(looker)
  const ann = await openPerson(looker, admin, 'ann')
  expect(looker.sessions.has(ann.id)).toBe(true)

  expect((await admin.request('PATCH', `/users/${ann.id}`, { is_disabled: true })).status).toBe(200)
  expect((await ann.request('GET', '/user')).status).toBe(401)
  expect(looker.sessions.has(ann.id)).toBe(false)
  expect((await admin.request('POST', `/login/${ann.id}`)).status).toBe(403)
  const acquire = await admin.request('POST', '/embed/cookieless_session/acquire', { external_user_id: 'ann' })
  expect(acquire.status).toBe(403)
  const found = await admin.request('GET', '/users/credential/embed/ann')
  expect(found.json).toMatchObject({ id: ann.id, is_disabled: true })

  await admin.request('PATCH', `/users/${ann.id}`, { is_disabled: false })
  expect((await admin.request('POST', `/login/${ann.id}`)).status).toBe(200)
})

test('tokens can be revoked for one user or for everybody', async () => {
  const looker = await openLooker()
  const admin = await loginAsAdmin(looker)
  const [ann, ben] = [await openPerson(looker, admin, 'ann'), await openPerson(looker, admin, 'ben')]
  looker.revokeTokens(ann.id)
  expect(looker.tokenCount(ann.id)).toBe(0)
  expect((await ann.request('GET', '/user')).status).toBe(401)
  expect((await ben.request('GET', '/user')).status).toBe(200)
  looker.revokeTokens()
  expect((await ben.request('GET', '/user')).status).toBe(401)
  expect((await admin.request('GET', '/user')).status).toBe(401)
  expect(looker.tokenCount()).toBe(0)
})

test('a new API key shows its secret once, logs in as its owner and stops with it', async () => {
  const looker = await openLooker()
  const admin = await loginAsAdmin(looker)
  const key = await admin.request('POST', '/users/3/credentials_api3')
  const listed = await admin.request('GET', '/users/3/credentials_api3')
  expect(listed.text).not.toContain(memberOf(key, 'client_secret'))

  const answer = await login(looker, memberOf(key, 'client_id'), memberOf(key, 'client_secret'))
  const vera = createClient(looker, memberOf(answer, 'access_token'))
  expect((await vera.request('GET', '/user')).json).toMatchObject({ id: '3', email: 'vera@example.com' })
  expect((await vera.request('GET', '/users')).status).toBe(404)

  await admin.request('DELETE', `/users/3/credentials_api3/${memberOf(key, 'id')}`)
  expect((await login(looker, memberOf(key, 'client_id'), memberOf(key, 'client_secret'))).status).toBe(404)
})

test('a deleted user is gone, and the same external id makes another', async () => {
  const looker = await openLooker()
  const admin = await loginAsAdmin(looker)
  const ann = await openPerson(looker, admin, 'ann')
  looker.users.delete(ann.id)
  expect((await ann.request('GET', '/user')).status).toBe(401)
  expect((await admin.request('GET', '/users/credential/embed/ann')).status).toBe(404)
  expect((await openPerson(looker, admin, 'ann')).id).not.toBe(ann.id)
})

test('the fields parameter picks members, nested ones too', async () => {
  const looker = await openLooker()
  const admin = await loginAsAdmin(looker)
  await openPerson(looker, admin, 'corp|https://id.example.com/ann')
  const path = `/users/credential/embed/${encodeURIComponent('corp|https://id.example.com/ann')}`
  const answer = await admin.request('GET', `${path}?fields=first_name,credentials_embed(external_user_id)`)
  expect(answer.json).toEqual({
    first_name: 'Embed',
    credentials_embed: [{ external_user_id: 'corp|https://id.example.com/ann' }],
  })
})
