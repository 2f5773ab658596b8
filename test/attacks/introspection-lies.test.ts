import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { ACCEPTED, ISSUER_UNAVAILABLE, present, rejected } from '../support/tokens.ts'
import { type PlainIssuer, startPlainIssuer } from '../support/plain-issuer.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let issuer: PlainIssuer
let sidecar: Sidecar
beforeAll(async () => {
  ;[world, issuer] = await Promise.all([startWorld(), startPlainIssuer()])
  const introspection = { clientId: 'resource server', clientSecret: { fromEnv: 'RS_SECRET' } }
  sidecar = await world.sidecar(
    { issuers: [{ name: 'plain', issuer: issuer.issuer, audiences: ['sallyport'], introspection }] },
    { env: { RS_SECRET: 'a:secret/with+signs' } },
  )
})
afterAll(() => Promise.all([world.close(), issuer.close()]))
afterEach(() => vi.restoreAllMocks())

const says = (answer: Record<string, unknown>): void => issuer.answer('introspection', { body: answer })
const active = (claims: Record<string, unknown> = {}): Record<string, unknown> =>
  issuer.claims({ active: true, ...claims })
const asked = () => issuer.requests.filter(({ path }) => path.startsWith('/introspection'))
/** Verdicts are remembered by token, so each question needs one of its own. */
const opaque = (): string => `opaque-${randomUUID()}`

test('28 the question is an authenticated form POST, and the token is in its body alone', async () => {
  says(active())
  const token = opaque()
  expect(await present(world, sidecar, token)).toMatchObject(ACCEPTED)
  const question = asked().at(-1)
  expect(question).toMatchObject({ method: 'POST', path: '/introspection' })
  expect(question?.headers['content-type']).toMatch(/^application\/x-www-form-urlencoded/)
  expect(new URLSearchParams(question?.body).getAll('token')).toEqual([token])
  // RFC 6749 §2.3.1: id and secret are form-encoded before they are joined.
  const credentials = Buffer.from('resource+server:a%3Asecret%2Fwith%2Bsigns').toString('base64')
  expect(question?.headers.authorization).toBe(`Basic ${credentials}`)
})

test('28 the secret and the token are in no log, audit line or metric', async () => {
  issuer.answer('introspection', { status: 500, body: 'out of order' })
  const token = opaque()
  expect(await present(world, sidecar, token)).toMatchObject(ISSUER_UNAVAILABLE)
  const written = sidecar.logText() + sidecar.auditText() + (await sidecar.metrics())
  for (const secret of [token, 'a:secret', 'a%3Asecret', 'Basic ']) expect(written).not.toContain(secret)
})

test('25 active: false is 401, whatever else the answer says', async () => {
  says({ active: false })
  expect(await present(world, sidecar, opaque())).toEqual(rejected('inactive'))
  says(active({ active: false }))
  expect(await present(world, sidecar, opaque())).toEqual(rejected('inactive'))
})

test('26 an active that is not the boolean true is 401', async () => {
  for (const value of ['true', 'True', 1, 'false', null, {}, [true]]) {
    says(active({ active: value }))
    expect(await present(world, sidecar, opaque()), JSON.stringify(value)).toEqual(rejected('inactive'))
  }
})

test('26 an active answer whose claims do not fit is 401', async () => {
  const past = Math.floor(Date.now() / 1000) - 3600
  for (const [claims, reason] of [
    [{ aud: 'looker' }, 'audience'],
    [{ aud: undefined }, 'audience'],
    [{ aud: ['looker', 'sallyport2'] }, 'audience'],
    [{ iss: `${issuer.issuer}/` }, 'unknown-issuer'],
    [{ iss: 'https://id.example.com' }, 'unknown-issuer'],
    [{ exp: past }, 'expired'],
    [{ exp: undefined }, 'missing-claim'],
    [{ exp: String(past + 7200) }, 'bad-claim'],
    [{ exp: 1e300 }, 'bad-claim'],
    [{ nbf: past + 7200 }, 'not-yet-valid'],
    [{ sub: undefined }, 'missing-claim'],
    [{ cnf: { jkt: 'thumbprint' } }, 'bound-to-key'],
  ] as const) {
    says(active(claims))
    expect(await present(world, sidecar, opaque()), JSON.stringify(claims)).toEqual(rejected(reason))
  }
})

test('26 an iss that is left out is that of the issuer that was asked', async () => {
  says(active({ iss: undefined }))
  expect(await present(world, sidecar, opaque())).toMatchObject(ACCEPTED)
})

test.for([
  ['a 500', { status: 500, body: 'out of order' }],
  ['a 503 that says active', { status: 503, body: { active: true } }],
  ['a 401 for our own credentials', { status: 401, body: { error: 'invalid_client' } }],
  ['JSON that is cut short', { body: '{"active": tr' }],
  ['JSON that is no object', { body: 'true' }],
  ['an object without active', { body: { message: 'welcome' } }],
  ['nothing', { body: '' }],
  ['a page', { headers: { 'content-type': 'text/html' }, body: '<p>active: true</p>' }],
  ['two megabytes', { body: `{"active": true, "padding": "${'x'.repeat(2_000_000)}"}` }],
] as const)('27 %s is 503 and never lets anybody in', async ([, answer]) => {
  issuer.answer('introspection', answer)
  const token = opaque()
  expect(await present(world, sidecar, token)).toMatchObject(ISSUER_UNAVAILABLE)
  // What could not be found out is not remembered.
  says(active())
  expect(await present(world, sidecar, token)).toMatchObject(ACCEPTED)
})

test('27 a redirect is not followed: the credentials stay with the issuer', async () => {
  const elsewhere = await startPlainIssuer()
  try {
    elsewhere.answer('introspection', { body: active() })
    for (const status of [302, 307]) {
      const location = `${elsewhere.issuer}/introspection`
      issuer.answer('introspection', { status, headers: { location }, body: '' })
      expect(await present(world, sidecar, opaque())).toMatchObject(ISSUER_UNAVAILABLE)
    }
    expect(elsewhere.requests).toEqual([])
  } finally {
    await elsewhere.close()
  }
})

test('27 an issuer that does not answer in time is 503', async () => {
  const deadline = new AbortController()
  vi.spyOn(AbortSignal, 'timeout').mockReturnValue(deadline.signal)
  issuer.answer('introspection', 'nothing')
  const before = asked().length
  const outcome = present(world, sidecar, opaque())
  await vi.waitFor(() => expect(asked()).toHaveLength(before + 1))
  deadline.abort(new DOMException('the deadline has passed', 'TimeoutError'))
  expect(await outcome).toMatchObject(ISSUER_UNAVAILABLE)
})

test('27 a 503 says when to come back', async () => {
  issuer.answer('introspection', { status: 500, body: '' })
  const response = await sidecar.fetch('/headers', { headers: { authorization: `Bearer ${opaque()}` } })
  expect(response.status).toBe(503)
  expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(response.headers.get('www-authenticate')).toBeNull()
})

test('18 what cannot be a token, or is too long to be one, is not asked about', async () => {
  says(active())
  const before = asked().length
  expect(await present(world, sidecar, 'a'.repeat(8193))).toEqual(rejected('too-long'))
  for (const token of ['opaque"token', 'opaque&token=other', 'opaqu\u00e9', 'opaque token', 'eyJhbGciOiJub25lIn0']) {
    expect(await present(world, sidecar, token), token).toEqual(rejected('malformed'))
  }
  expect(asked()).toHaveLength(before)
})
