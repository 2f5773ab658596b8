import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { json, type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.sidecar()
})
afterAll(() => world.close())

const auditOf = (requestId: string): Record<string, unknown>[] =>
  sidecar.audit.filter(({ metadata }) => (metadata as { correlation_uid: string }).correlation_uid === requestId)

test('one request id runs through the problem document, its header, the log, the audit and the calls to Looker', async () => {
  const requestId = 'one-id-for-all_of_it'
  world.looker.faults.inject({ kind: 'server-error', operation: 'login_user', times: Number.POSITIVE_INFINITY })
  const response = await sidecar.fetch('/sallyport/looker/token', {
    method: 'POST',
    headers: { authorization: `Bearer ${await world.issuer.sign({ sub: 'ana' })}`, 'x-request-id': requestId },
  })
  world.looker.faults.clear()
  expect(response.status).toBe(502)
  expect(response.headers.get('x-request-id')).toBe(requestId)
  expect(await json(response)).toMatchObject({ instance: requestId })
  const logged = sidecar
    .logText()
    .split('\n')
    .filter(line => line.includes(`"requestId":"${requestId}"`))
  expect(logged).toHaveLength(1)
  await vi.waitFor(() => expect(auditOf(requestId)).toHaveLength(1))
  const calls = world.looker.calls.list.filter(call => call.requestId === requestId)
  expect(calls.map(({ operationId }) => operationId)).toContain('login_user')
})

test('the id goes to the app with the request', async () => {
  const requestId = 'to-the-app-with-it'
  const authorization = `Bearer ${await world.issuer.sign({ sub: 'ana' })}`
  await sidecar.fetch('/headers', { headers: { authorization, 'x-request-id': requestId } })
  expect(world.app.requests.at(-1)?.headers['x-request-id']).toBe(requestId)
  await vi.waitFor(() => expect(auditOf(requestId)).toHaveLength(1))
})

test.for([
  'short',
  'x'.repeat(65),
  'has space in it',
  'quote"quote"',
  'semi;colon;x',
  '../../etc/passwd',
  '${jndi:ldap}',
  'é'.repeat(8),
])('an id that is not plain is replaced by one of ours: %s', async sent => {
  const response = await sidecar.fetch('/headers', { headers: { 'x-request-id': sent } })
  const { instance } = await json(response)
  expect(instance).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  expect(response.headers.get('x-request-id')).toBe(instance)
  await vi.waitFor(() => expect(auditOf(String(instance))).toHaveLength(1))
})
