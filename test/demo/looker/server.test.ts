import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { makeCertificate } from '../../../demo/looker/certificate.ts'
import { loginAsAdmin, openLooker, openPerson } from './api-client.ts'

test('over TLS it is trusted by whoever trusts its certificate, and by nobody else', async () => {
  const tls = await makeCertificate(['localhost', '127.0.0.1'])
  const looker = await openLooker({ tls })
  expect(looker.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/)
  const ask = (options: { ca?: string; servername?: string }) =>
    new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
      const asked = request(`${looker.url}/api/4.0/user`, { ...options, agent: false }, response => {
        text(response).then(body => resolve({ status: response.statusCode, body }), reject)
      })
      asked.once('error', reject).end()
    })
  expect(await ask({ ca: tls.cert })).toMatchObject({ status: 401 })
  await expect(ask({})).rejects.toThrow(/self-signed/)
})

test('control is closed unless it is asked for', async () => {
  const looker = await openLooker()
  expect((await fetch(`${looker.url}/__emulator/calls`)).status).toBe(404)
})

test('control steers clock, faults, users and tokens over HTTP', async () => {
  const looker = await openLooker({ control: true })
  const admin = await loginAsAdmin(looker)
  const ann = await openPerson(looker, admin, 'ann')
  const control = async (method: string, path: string, body?: object) => {
    const response = await fetch(`${looker.url}/__emulator${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return response.status
  }
  expect(await control('POST', '/faults', { kind: 'server-error', operation: 'me' })).toBe(204)
  expect((await ann.request('GET', '/user')).status).toBe(500)
  expect(await control('POST', '/faults', { kind: 'earthquake' })).toBe(400)
  await control('POST', '/faults', { kind: 'hang' })
  expect(await control('DELETE', '/faults')).toBe(204)
  expect(looker.faults.pending).toBe(0)

  expect(await control('POST', `/users/${ann.id}/disable`)).toBe(204)
  expect(await control('POST', '/users/999/disable')).toBe(404)
  expect((await ann.request('GET', '/user')).status).toBe(401)

  expect(await control('POST', '/clock', { advance_seconds: 60 })).toBe(200)
  expect(looker.clock.now()).toBeGreaterThan(Date.now() + 50_000)
  expect(await control('POST', '/revoke')).toBe(204)
  expect((await admin.request('GET', '/user')).status).toBe(401)

  const calls: unknown = await (await fetch(`${looker.url}/__emulator/calls?operation=login`)).json()
  expect(calls).toMatchObject({ count: 1, calls: [{ operationId: 'login', status: 200 }] })
  expect(await control('DELETE', '/calls')).toBe(204)
  expect(looker.calls.count()).toBe(0)
})
