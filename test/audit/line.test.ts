import { afterAll, beforeAll, expect, test } from 'vitest'
import { exchangeForm } from '../support/process.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.sidecar({ rules: [{ paths: ['/**'] }] })
})
afterAll(() => world.close())

const ANA = { uid: 'ana', email_addr: 'ana@example.com', name: 'Ana Alvarez', domain: 'corp' }

/** What is in every line about somebody who is known. */
const always = (requestId: string) => ({
  stream: 'audit',
  time: expect.closeTo(Date.now(), -5),
  severity_id: 1,
  status_id: 1,
  status_code: '200',
  metadata: {
    uid: expect.stringMatching(/^[\w-]{8,}-\d+$/),
    correlation_uid: requestId,
    sequence: expect.any(Number),
  },
  actor: { user: ANA, idp: { name: 'corp', uid: world.issuer.issuer } },
  src_endpoint: { ip: '127.0.0.1' },
  duration: expect.any(Number),
})

/** Asks as this request id; gives the line about it, as soon as it is there. */
async function lineAbout(requestId: string, path: string, init: RequestInit): Promise<Record<string, unknown>> {
  const headers = { ...(init.headers as Record<string, string> | undefined), 'x-request-id': requestId }
  expect((await sidecar.fetch(path, { ...init, headers })).status).toBe(200)
  const find = (): Record<string, unknown> | undefined =>
    sidecar.audit.find(({ metadata }) => (metadata as { correlation_uid: string }).correlation_uid === requestId)
  await expect.poll(find).toBeDefined()
  return find() ?? {}
}

test('a token exchange is on record with who, from where, what, why and for how long', async () => {
  const { accessToken } = await world.issuer.signIn('ana')
  const line = await lineAbout('of-the-exchange', '/sallyport/token', {
    method: 'POST',
    body: exchangeForm(accessToken),
  })
  expect(line).toMatchObject({
    ...always('of-the-exchange'),
    class_uid: 3002,
    category_uid: 3,
    activity_id: 4,
    type_uid: 300_204,
    user: ANA,
    api: { operation: 'POST /sallyport/token' },
    resources: [{ type: 'looker_token', name: 'ana' }],
    status_detail: 'grant',
    unmapped: { decision: 'allowed', grant: 'explorer', looker_user_id: expect.stringMatching(/^\d+$/) },
  })
})

test('a request to the app is on record with who, from where, what, why and for how long', async () => {
  const { accessToken } = await world.issuer.signIn('ana')
  const line = await lineAbout('of-the-request', '/headers?not=this', {
    headers: { authorization: `Bearer ${accessToken}` },
  })
  expect(line).toMatchObject({
    ...always('of-the-request'),
    class_uid: 6003,
    category_uid: 6,
    activity_id: 2,
    type_uid: 600_302,
    api: { operation: 'GET /headers' },
    resources: [{ type: 'app_path', name: '/headers' }],
    status_detail: 'rule',
    unmapped: { decision: 'allowed', rule: 'rules[0]' },
  })
})

test('lines have an id each, and are numbered without a gap', async () => {
  const { accessToken } = await world.issuer.signIn('ana')
  const before = sidecar.audit.length
  for (let n = 0; n < 3; n++) await sidecar.exchange(accessToken)
  const written = sidecar.audit.slice(before).map(({ metadata }) => metadata as { uid: string; sequence: number })
  const first = written[0]?.sequence ?? 0
  expect(written.map(({ sequence }) => sequence)).toEqual([first, first + 1, first + 2])
  expect(new Set(written.map(({ uid }) => uid)).size).toBe(3)
})
