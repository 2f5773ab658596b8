import { expect, test } from 'vitest'
import { loginAsAdmin, openLooker, send } from './api-client.ts'
import type { EmulatedLooker } from '../../../demo/looker/emulated-looker.ts'

const APP = 'https://app.example.com'

const preflight = (looker: EmulatedLooker, path: string, origin: string) =>
  send(looker, 'OPTIONS', path, {
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type,x-looker-appid',
    },
  })

test('an origin of the allowlist may call, its preflight names the headers of the SDK', async () => {
  const looker = await openLooker({ domainAllowlist: [APP] })
  const admin = await loginAsAdmin(looker)
  const asked = await preflight(looker, '/queries/run/json', APP)
  expect(asked.status).toBe(204)
  expect(asked.headers.get('access-control-allow-origin')).toBe(APP)
  expect(asked.headers.get('access-control-allow-headers')).toBe('authorization, content-type, x-looker-appid')
  expect(asked.headers.get('vary')).toBe('Origin')

  const answer = await admin.request('GET', '/user', undefined, { origin: APP })
  expect(answer.status).toBe(200)
  expect(answer.headers.get('access-control-allow-origin')).toBe(APP)
  const refused = await admin.request('GET', '/user', undefined, { origin: APP, authorization: 'Bearer none' })
  expect(refused.status).toBe(401)
  expect(refused.headers.get('access-control-allow-origin')).toBe(APP)
})

test('any other origin, however alike, is refused', async () => {
  const looker = await openLooker({ domainAllowlist: [APP, 'https://slash.example.com/'] })
  const admin = await loginAsAdmin(looker)
  const strangers = [
    'https://app.example.com:8443',
    'http://app.example.com',
    'https://app.example.com.evil.com',
    'https://slash.example.com',
    'null',
  ]
  for (const origin of strangers) {
    expect([origin, (await preflight(looker, '/user', origin)).status]).toEqual([origin, 404])
    const answer = await admin.request('GET', '/user', undefined, { origin })
    expect([origin, answer.status]).toEqual([origin, 404])
    expect(answer.headers.has('access-control-allow-origin')).toBe(false)
  }
  expect((await admin.request('GET', '/user', undefined, { origin: looker.url })).status).toBe(200)
})

test('login is never for another origin, not even one of the allowlist', async () => {
  const looker = await openLooker({ domainAllowlist: [APP] })
  const asked = await preflight(looker, '/login', APP)
  expect([asked.status, asked.headers.has('access-control-allow-origin')]).toEqual([404, false])
  const body = new URLSearchParams({ client_id: looker.clientId, client_secret: looker.clientSecret })
  const answer = await send(looker, 'POST', '/login', { headers: { origin: APP }, body })
  expect([answer.status, answer.headers.has('access-control-allow-origin')]).toEqual([404, false])
})

test('the allowlist is a setting, and a change of it counts at once', async () => {
  const looker = await openLooker()
  const admin = await loginAsAdmin(looker)
  expect((await preflight(looker, '/user', APP)).status).toBe(404)
  await admin.request('PATCH', '/setting', { embed_config: { domain_allowlist: [APP] } })
  expect((await preflight(looker, '/user', APP)).status).toBe(204)
  expect((await admin.request('GET', '/setting?fields=embed_config(domain_allowlist,sso_auth_enabled)')).json).toEqual({
    embed_config: { domain_allowlist: [APP], sso_auth_enabled: true },
  })
})
