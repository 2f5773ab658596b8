import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { rawRequest, sendRaw } from '../support/raw-http.ts'
import { freePort } from '../../demo/free-port.ts'
import { EXCHANGE_GRANT, json, type Sidecar, startWorld, type World } from '../support/world.ts'

const CANARY = 'c4n4ry'
const SEAL_KEY = Buffer.from(`${CANARY}-seal-key-of-32-bytes-xxxxxxxxx`.slice(0, 32)).toString('base64')
const env = { LOOKER_SECRET: `${CANARY}-looker-secret`, SEAL: SEAL_KEY, RS: `${CANARY}-introspection` }

let world: World
let sidecars: Sidecar[]
const bodies: string[] = []
/** What no output may have: the canaries, the tokens with one in them, and the Looker tokens handed out. */
const secrets = new Set<string>([CANARY, SEAL_KEY])
beforeAll(async () => {
  world = await startWorld({ looker: { clientSecret: env.LOOKER_SECRET } })
  const [issuer] = world.written()['issuers'] as object[]
  const sections = {
    issuers: [{ ...issuer, introspection: { clientId: 'rs', clientSecret: { fromEnv: 'RS' } } }],
    store: { sealKeys: [{ id: 'k1', key: { fromEnv: 'SEAL' } }] },
    cors: { origins: ['https://app.example.com'] },
  }
  const looker = world.written()['looker'] as object
  const nowhere = `http://127.0.0.1:${await freePort()}`
  sidecars = await Promise.all([
    world.sidecar(sections, { env }),
    // Errors have more to tell than success: one that reaches nobody, and one whose credentials Looker refuses.
    world.sidecar({ ...sections, app: { url: nowhere }, looker: { ...looker, url: nowhere } }, { env }),
    world.sidecar(sections, { env: { ...env, LOOKER_SECRET: `${CANARY}-refused` } }),
  ])
  for (const sidecar of sidecars) await plantIn(sidecar)
})
afterAll(() => world.close())

async function plantIn(sidecar: Sidecar): Promise<void> {
  const good = await world.issuer.sign({ sub: 'ana', secret: CANARY })
  const expired = await world.issuer.sign({ sub: 'ana', secret: CANARY, exp: 1 })
  const noGrant = await world.issuer.sign({ sub: 'nora', secret: CANARY })
  const forged = `${good.slice(0, -8)}AAAAAAAA`
  const opaque = `${CANARY}-opaque`
  const tokens = [good, expired, noGrant, forged, opaque, `${CANARY}.${CANARY}.${CANARY}`]
  const keep = async (answer: Response | Promise<Response>): Promise<void> => {
    const response = await answer
    bodies.push(JSON.stringify([...response.headers]), await response.text())
  }
  for (const token of tokens) {
    if (token.length > 100) secrets.add(token).add(token.split('.')[1] ?? token)
    for (const answer of [
      await sidecar.exchange(token),
      await sidecar.fetch('/sallyport/looker/token', { method: 'POST', headers: { authorization: `Bearer ${token}` } }),
    ]) {
      if (!answer.ok) await keep(answer)
      else secrets.add(String((await json(answer))['access_token']))
    }
    await keep(
      sidecar.fetch(`/status/404?q=${CANARY}&access=${token}`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${token}`,
          cookie: `__Host-sallyport=${CANARY}; other=${CANARY}`,
          'x-api-key': CANARY,
          'x-request-id': `bad id ${CANARY}`,
          origin: `https://${CANARY}.example`,
          'user-agent': CANARY,
          referer: `https://x.example/?${CANARY}`,
        },
        body: `password=${CANARY}`,
      }),
    )
    await keep(sidecar.fetch(`/headers?access_token=${token}&${CANARY}`, { redirect: 'manual' }))
    await keep(
      sidecar.fetch('/sallyport/looker/token', { method: 'DELETE', headers: { authorization: `Bearer ${token}` } }),
    )
  }
  for (const parameter of [
    'subject_token_type',
    'grant_type',
    'scope',
    'audience',
    'resource',
    'requested_token_type',
    'actor_token',
  ]) {
    await keep(sidecar.exchange(good, { [parameter]: CANARY }))
  }
  await keep(
    sidecar.fetch('/sallyport/token', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ grant_type: EXCHANGE_GRANT, subject_token: CANARY }),
    }),
  )
  const raw = [
    rawRequest(`GET /x//y?${CANARY}`, ['Host: a']),
    rawRequest(`GET /%zz?${CANARY}`, ['Host: a', `Cookie: ${CANARY}`]),
    rawRequest('GET /x', ['Host: a', `Authorization: Basic ${CANARY}`, `Authorization: Bearer ${CANARY}`]),
    rawRequest('GET /x', [`Host: ${CANARY} x`]),
    `GET /x HTTP/1.1\r\n${CANARY} bad: ${CANARY}\r\n\r\n`,
  ]
  for (const bytes of raw) bodies.push((await sendRaw(sidecar.url, bytes)).body)
}

test('case 86: secrets were planted, and the requests with them were seen', async () => {
  expect(secrets.size).toBeGreaterThan(10)
  for (const sidecar of sidecars) await vi.waitFor(() => expect(sidecar.audit.length).toBeGreaterThan(30))
  expect(sidecars.map(sidecar => sidecar.logText()).join('')).toMatch(/ECONNREFUSED/)
})

test.for([
  ['the log', (sidecar: Sidecar) => sidecar.logText()],
  ['the audit lines', (sidecar: Sidecar) => sidecar.auditText()],
  ['the metrics', (sidecar: Sidecar) => sidecar.metrics()],
] as const)('case 86: no secret is in %s', async ([, read]) => {
  for (const sidecar of sidecars) expectNone(await read(sidecar))
})

test('case 86: no secret is in an error', () => {
  expect(bodies.length).toBeGreaterThan(100)
  for (const body of bodies) expectNone(body)
})

function expectNone(text: string): void {
  for (const secret of secrets) {
    const at = text.indexOf(secret)
    expect(at === -1 ? '' : text.slice(Math.max(0, at - 200), at + 100)).toBe('')
  }
}
