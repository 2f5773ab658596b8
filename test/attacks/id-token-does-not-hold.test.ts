import { hash } from 'node:crypto'
import { expect, test } from 'vitest'
import { signCompact } from '../../demo/issuer/keys.ts'
import { ecKey } from '../support/plain-issuer.ts'
import { answerTokens, begin, comeBack, plainStage, sessionIn } from '../support/plain-sign-in.ts'

const { issuer, sidecar } = await plainStage()

type Answer = Parameters<typeof answerTokens>[2]

async function signInWith(answer: Answer | ((nonce: string) => Answer)): Promise<Response> {
  const begun = await begin(sidecar)
  answerTokens(issuer, begun.nonce, typeof answer === 'function' ? answer(begun.nonce) : answer)
  return comeBack(sidecar, begun)
}

const atHash = (accessToken: string): string =>
  hash('sha256', accessToken, 'buffer').subarray(0, 16).toString('base64url')
const now = Math.floor(Date.now() / 1000)

const BAD_CLAIMS: Record<string, unknown>[] = [
  { nonce: undefined },
  { nonce: 'of-another-sign-in' },
  { nonce: ['array'] },
  { aud: 'sallyport' },
  { aud: undefined },
  { aud: [] },
  { aud: ['web', 'other'] },
  { aud: ['web', 'other'], azp: 'other' },
  { azp: 'other' },
  { azp: 1 },
  { at_hash: atHash('another token') },
  { at_hash: hash('sha256', 'opaque-access', 'base64url') },
  { at_hash: '' },
  { iss: 'https://evil.example' },
  { iss: undefined },
  { sub: undefined },
  { sub: '' },
  { exp: undefined },
  { exp: now - 120 },
  { exp: 1e300 },
  { iat: undefined },
  { iat: now + 600 },
  { nbf: now + 600 },
  { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } },
]

test.for(BAD_CLAIMS)('45 an ID token with %j begins no session', async claims => {
  const response = await signInWith({ claims })
  expect(response.status).toBe(400)
  expect(sessionIn(response)).toBeUndefined()
})

const BAD_HEADERS: Record<string, unknown>[] = [
  { alg: 'HS256' },
  { alg: 'RS256' },
  { alg: undefined },
  { kid: 'key-2' },
  { kid: 7 },
  { typ: 'at+jwt' },
  { typ: 'logout+jwt' },
  { crit: ['exp'] },
  { jwk: ecKey('key-1').jwk },
  { jku: 'https://evil.example/jwks' },
]

test.for(BAD_HEADERS)('45 an ID token with %j in its header begins no session', async header => {
  const response = await signInWith({ header })
  expect(response.status).toBe(400)
  expect(sessionIn(response)).toBeUndefined()
})

test.for(['none', 'None', 'nOnE'])('45 an ID token with alg %s begins no session', async alg => {
  const unsigned = (nonce: string): string =>
    signCompact({ alg, typ: 'JWT' }, issuer.claims({ aud: 'web', nonce }), issuer.key.privateKey)
  for (const ending of ['', 'AAAA']) {
    const response = await signInWith(nonce => ({ idToken: `${unsigned(nonce)}${ending}` }))
    expect([400, 503]).toContain(response.status)
    expect(sessionIn(response)).toBeUndefined()
  }
})

test('45 an ID token of another key, cut, encrypted, absent or with a member twice begins no session', async () => {
  const other = ecKey('key-1').privateKey
  const twice = (nonce: string): string => {
    const payload = `{"sub":"vic",${JSON.stringify(issuer.claims({ aud: 'web', nonce })).slice(1)}`
    const [header, , signature] = issuer.sign({ aud: 'web', nonce }, { typ: 'JWT' }).split('.')
    return `${header}.${Buffer.from(payload).toString('base64url')}.${signature}`
  }
  const answers: ((nonce: string) => Answer)[] = [
    nonce => ({ idToken: issuer.sign({ aud: 'web', nonce }, { typ: 'JWT' }, other) }),
    nonce => ({ idToken: issuer.sign({ aud: 'web', nonce }, { typ: 'JWT' }).slice(0, -4) }),
    nonce => ({ idToken: `${issuer.sign({ aud: 'web', nonce }, { typ: 'JWT' })}.a.b` }),
    nonce => ({ idToken: twice(nonce) }),
    () => ({ idToken: '' }),
    () => ({ id_token: undefined }),
    () => ({ id_token: 7 }),
  ]
  for (const answer of answers) {
    const response = await signInWith(answer)
    expect([400, 503]).toContain(response.status)
    expect(sessionIn(response)).toBeUndefined()
  }
})

test('an ID token that holds begins a session: with at_hash, with azp, and with several audiences', async () => {
  for (const claims of [
    {},
    { at_hash: atHash('opaque-access') },
    { azp: 'web' },
    { aud: ['web', 'other'], azp: 'web' },
  ]) {
    const response = await signInWith({ claims })
    expect({ claims, status: response.status }).toEqual({ claims, status: 302 })
    expect(sessionIn(response)).toBeDefined()
  }
})

test('what was wrong with an ID token is in the log, and neither the token nor the code is', async () => {
  await signInWith({
    claims: { nonce: 'of-another-sign-in' },
    access_token: 'canary-access',
    refresh_token: 'canary-refresh',
  })
  expect(sidecar.logText()).toContain('nonce')
  expect(sidecar.logText()).not.toMatch(/canary|opaque-access|of-another-sign-in|code=|eyJ/)
})
