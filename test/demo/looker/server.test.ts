import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:https'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { makeCertificate } from '../../../demo/looker/certificate.ts'
import { createFront } from '../../../demo/looker/front.ts'
import { loginAsAdmin, openLooker, openPerson } from './api-client.ts'

function get(url: string, options: { ca?: string } = {}): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { ...options, agent: false }, response => {
      text(response).then(body => resolve({ status: response.statusCode, body }), reject)
    })
    asked.once('error', reject).end()
  })
}

test('one port answers HTTP, and TLS to whoever trusts its certificate', async () => {
  const looker = await openLooker()
  expect(looker.secureUrl).toBe(looker.url.replace('http:', 'https:'))
  expect((await fetch(`${looker.url}/api/4.0/user`)).status).toBe(401)
  const secure = await get(`${looker.secureUrl}/api/4.0/user`, { ca: looker.certificate })
  expect(secure).toMatchObject({ status: 401, body: expect.stringContaining('Requires authentication') })
  await expect(get(`${looker.secureUrl}/api/4.0/user`)).rejects.toThrow(/self-signed/)
  const { port } = new URL(looker.url)
  expect(await get(`https://localhost:${port}/`, { ca: looker.certificate })).toMatchObject({ status: 200 })
})

test('it has the certificate it is given', async () => {
  const certificate = await makeCertificate(['localhost', '127.0.0.1'])
  const looker = await openLooker({ certificate })
  expect(looker.certificate).toBe(certificate.cert)
  expect(await get(`${looker.secureUrl}/`, { ca: certificate.cert })).toMatchObject({ status: 200 })
})

test('the certificate for this machine is made once and kept', async () => {
  const [one, other] = await Promise.all([openLooker(), openLooker()])
  expect(one.certificate).toBe(other.certificate)
  const { subjectAltName, validToDate } = new X509Certificate(one.certificate)
  expect(subjectAltName).toContain('DNS:localhost')
  expect(subjectAltName).toContain('IP Address:127.0.0.1')
  expect(validToDate.getTime()).toBeGreaterThan(Date.now() + 29 * 86_400_000)
})

test('a connection that says nothing is ended, and so are all when it closes', async () => {
  const front = createFront(await makeCertificate(['localhost']), 50)
  front.serverFactory((_request, response) => response.end('hello'))
  const { port } = await front.listen(0, '127.0.0.1')
  const silent = connect(port, '127.0.0.1').resume()
  await once(silent, 'close')
  expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe('hello')
  const slow = connect(port, '127.0.0.1').resume()
  slow.write('GET / HTTP/1.1\r\n')
  // Longer than one may be silent at first: this one has begun to speak.
  await setTimeout(150)
  expect(slow.closed).toBe(false)
  const ended = once(slow, 'close')
  await front.close()
  await ended
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
