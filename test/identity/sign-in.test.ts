import { hash } from 'node:crypto'
import { Agent } from 'undici'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Claims } from '../../src/core/identity.ts'
import { Secret } from '../../src/core/secret.ts'
import { createIssuer, type Issuer } from '../../src/identity/issuer.ts'
import type { SignedIn } from '../../src/identity/session-record.ts'
import { createSignIn, type SignIn } from '../../src/identity/sign-in.ts'
import { createMemoryStore } from '../../src/store/memory-store.ts'
import { createSealer } from '../../src/store/seal.ts'
import { createVault } from '../../src/store/vault.ts'
import { issuerOptions, type PlainIssuer, startPlainIssuer } from '../support/plain-issuer.ts'
import { answerTokens } from '../support/plain-sign-in.ts'
import { createTurnedClock } from '../support/turned-clock.ts'

const SECRET = 'b'.repeat(43)
const CALLBACK = 'https://app.example.com/sallyport/callback'

let plain: PlainIssuer
let issuer: Issuer
const report = vi.fn<(error: unknown) => void>()
const clock = createTurnedClock()
beforeEach(async () => {
  report.mockClear()
  plain = await startPlainIssuer()
  issuer = createIssuer({ ...issuerOptions(plain.issuer, new Agent()), clock, report })
})
afterEach(async () => {
  issuer.close()
  await plain.close()
})

type Login = { clientSecret?: { current(): Secret }; scopes?: readonly string[] }

async function open(
  { clientSecret, scopes = ['openid'] }: Login = {},
  extra: Record<string, unknown> = {},
): Promise<SignIn> {
  plain.answer('discovery', {
    body: {
      issuer: plain.issuer,
      jwks_uri: `${plain.issuer}/jwks`,
      authorization_endpoint: `${plain.issuer}/authorization`,
      token_endpoint: `${plain.issuer}/token`,
      ...extra,
    },
  })
  issuer.start()
  await issuer.loaded
  const key = new Secret(Buffer.alloc(32).toString('base64'))
  const sealer = createSealer([{ id: 'k', key: { current: () => key } }])
  return createSignIn({
    issuers: [{ issuer, login: { clientId: 'web', clientSecret, scopes } }],
    vault: createVault({ store: createMemoryStore(clock), sealer }),
    clock,
    callbackUrl: CALLBACK,
    signedOutUrl: 'https://app.example.com/sallyport/signed-out',
  })
}

async function begin(signIn: SignIn): Promise<URLSearchParams> {
  return new URL(await signIn.begin({ issuer: 'plain', returnTo: '/looks', browserSecret: SECRET })).searchParams
}

async function finish(signIn: SignIn, answer: Parameters<typeof answerTokens>[2] = {}): Promise<SignedIn> {
  const asked = await begin(signIn)
  answerTokens(plain, asked.get('nonce') ?? '', answer)
  const query = new URLSearchParams({ code: 'the-code', state: asked.get('state') ?? '' })
  return (await signIn.resume(query.toString(), [SECRET])).finish()
}

const lastAt = (path: string) => plain.requests.findLast(request => request.path === path)
const formOf = (body = ''): Record<string, string> => Object.fromEntries(new URLSearchParams(body))
const basic = (secret: string): string => `Basic ${Buffer.from(`web:${secret}`).toString('base64')}`

describe('the code', () => {
  test('is exchanged with the verifier whose hash the issuer was given, and with the same redirect_uri', async () => {
    const signIn = await open()
    const asked = await begin(signIn)
    answerTokens(plain, asked.get('nonce') ?? '', { refresh_token: 'r1' })
    const pending = await signIn.resume(`?code=the-code&state=${asked.get('state')}`, ['a'.repeat(43), SECRET])
    expect(pending.returnTo).toBe('/looks')
    const { issuer: name, claims, tokens } = await pending.finish()
    const form = formOf(lastAt('/token')?.body)
    expect(form).toEqual({
      grant_type: 'authorization_code',
      code: 'the-code',
      redirect_uri: CALLBACK,
      client_id: 'web',
      code_verifier: expect.stringMatching(/^[\w-]{43,}$/),
    })
    expect(hash('sha256', form['code_verifier'] ?? '', 'base64url')).toBe(asked.get('code_challenge'))
    expect(name).toBe('plain')
    expect(claims).toMatchObject({ sub: 'ana', groups: ['analytics'] })
    expect(tokens.refreshToken?.reveal()).toBe('r1')
    expect(tokens.expiresAt).toBe(clock.now() + 3_600_000)
  })

  test('is exchanged with the client secret of the moment, so that a rotated one counts at once', async () => {
    let secret = new Secret('first')
    const signIn = await open({ clientSecret: { current: () => secret } })
    await finish(signIn)
    expect(lastAt('/token')?.headers.authorization).toBe(basic('first'))
    secret = new Secret('second')
    const { tokens } = await finish(signIn, { refresh_token: 'r1' })
    expect(lastAt('/token')?.headers.authorization).toBe(basic('second'))
    secret = new Secret('third')
    await signIn.refresh('plain', tokens, 'ana')
    expect(lastAt('/token')?.headers.authorization).toBe(basic('third'))
  })

  test('is exchanged with the secret in the form, where the issuer takes it nowhere else', async () => {
    const current = new Secret('the secret')
    const methods = { token_endpoint_auth_methods_supported: ['client_secret_post'] }
    await finish(await open({ clientSecret: { current: () => current } }, methods))
    expect(lastAt('/token')?.headers.authorization).toBeUndefined()
    expect(formOf(lastAt('/token')?.body)).toMatchObject({ client_id: 'web', client_secret: 'the secret' })
  })

  test('that the issuer does not answer for is a failure of the issuer, and told to its observer without any data', async () => {
    const signIn = await open()
    const asked = await begin(signIn)
    plain.answer('token', { status: 200, body: '{"access_token": "canary' })
    const pending = await signIn.resume(`code=the-code&state=${asked.get('state')}`, [SECRET])
    await expect(pending.finish()).rejects.toMatchObject({ failure: { kind: 'issuer-unavailable', issuer: 'plain' } })
    expect(String(report.mock.lastCall?.[0])).toMatch(/OAUTH_PARSE_ERROR/)
    expect(String(report.mock.lastCall?.[0])).not.toMatch(/canary|the-code/)
  })

  test('of a client that the issuer does not accept is a mistake on this side', async () => {
    const signIn = await open()
    for (const [headers, body] of [
      [{}, { error: 'invalid_client' }],
      [{ 'www-authenticate': 'Basic realm="x"' }, { error: 'invalid_client' }],
      [{}, { error: 'unauthorized_client' }],
    ] as const) {
      const asked = await begin(signIn)
      plain.answer('token', { status: 401, headers, body })
      const pending = await signIn.resume(`code=the-code&state=${asked.get('state')}`, [SECRET])
      await expect(pending.finish()).rejects.toMatchObject({
        failure: { kind: 'sign-in-failed', reason: 'client-refused' },
      })
    }
  })
})

describe('userinfo', () => {
  const endpoint = () => ({ userinfo_endpoint: `${plain.issuer}/userinfo` })
  const short = { email: undefined, groups: undefined }

  test('is asked where the ID token leaves out groups or e-mail, and lies beneath it', async () => {
    const signIn = await open({}, endpoint())
    plain.answer('userinfo', {
      body: { sub: 'ana', groups: ['analytics'], email: 'ana@example.com', name: 'Userinfo' },
    })
    const { claims } = await finish(signIn, { claims: { ...short, name: 'ID token' } })
    expect(claims).toMatchObject({ sub: 'ana', groups: ['analytics'], email: 'ana@example.com', name: 'ID token' })
    expect(lastAt('/userinfo')?.headers.authorization).toBe('Bearer opaque-access')
  })

  test('is left alone where the ID token says all, and where there is none', async () => {
    await finish(await open({}, endpoint()))
    expect(lastAt('/userinfo')).toBeUndefined()
  })

  test('is not needed where the issuer has none', async () => {
    const { claims } = await finish(await open(), { claims: short })
    expect(claims['groups']).toBeUndefined()
  })

  test('of another subject, refused, or out of order signs nobody in', async () => {
    const signIn = await open({}, endpoint())
    const answers: [Parameters<PlainIssuer['answer']>[1], string][] = [
      [{ body: { sub: 'vic', groups: ['admins'] } }, 'sign-in-failed'],
      [{ body: { groups: ['admins'] } }, 'sign-in-failed'],
      [{ status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' }, body: {} }, 'sign-in-failed'],
      [{ status: 500, body: 'out of order' }, 'issuer-unavailable'],
      [{ body: '{"sub": "an' }, 'issuer-unavailable'],
    ]
    for (const [answer, kind] of answers) {
      plain.answer('userinfo', answer)
      await expect(finish(signIn, { claims: short })).rejects.toMatchObject({ failure: { kind } })
    }
  })
})

describe('a refresh', () => {
  const answerRefresh = (body: Record<string, unknown>): void =>
    plain.answer('token', { body: { access_token: 'a2', token_type: 'Bearer', expires_in: 60, ...body } })
  const idToken = (claims: Record<string, unknown> = {}): string =>
    plain.sign({ aud: 'web', email: 'ana@example.com', ...claims }, { typ: 'JWT' })

  async function refreshed(signIn: SignIn, before: SignedIn, claims?: Claims): Promise<SignedIn> {
    const after = await signIn.refresh('plain', before.tokens, 'ana', claims)
    if (after === 'ended') throw new Error('the session has ended')
    return after
  }

  test('gives the claims of the new ID token, the new tokens, and when they lapse', async () => {
    const signIn = await open()
    const before = await finish(signIn, { refresh_token: 'r1' })
    const next = idToken({ groups: ['viewers'] })
    answerRefresh({ id_token: next, refresh_token: 'r2' })
    const { claims, tokens } = await refreshed(signIn, before)
    expect(formOf(lastAt('/token')?.body)).toEqual({
      grant_type: 'refresh_token',
      refresh_token: 'r1',
      client_id: 'web',
    })
    expect(claims).toMatchObject({ sub: 'ana', groups: ['viewers'] })
    expect(tokens.idToken.reveal()).toBe(next)
    expect(tokens.refreshToken?.reveal()).toBe('r2')
    expect(tokens.expiresAt).toBe(clock.now() + 60_000)
  })

  test('keeps the refresh token where the issuer gives no new one', async () => {
    const signIn = await open()
    const before = await finish(signIn, { refresh_token: 'r1' })
    answerRefresh({ id_token: idToken() })
    expect((await refreshed(signIn, before)).tokens.refreshToken?.reveal()).toBe('r1')
  })

  test('is the end for invalid_grant, and for nothing else', async () => {
    const signIn = await open()
    const { tokens } = await finish(signIn, { refresh_token: 'r1' })
    plain.answer('token', { status: 400, body: { error: 'invalid_grant', error_description: 'revoked' } })
    expect(await signIn.refresh('plain', tokens, 'ana')).toBe('ended')
    const others: [Parameters<PlainIssuer['answer']>[1], string][] = [
      [{ status: 401, body: { error: 'invalid_client' } }, 'sign-in-failed'],
      [{ status: 400, body: { error: 'invalid_request' } }, 'sign-in-failed'],
      [{ status: 400, body: 'invalid_grant' }, 'sign-in-failed'],
      [{ status: 500, body: { error: 'invalid_grant' } }, 'issuer-unavailable'],
      [{ status: 429, body: {} }, 'issuer-unavailable'],
      [{ status: 503, body: '' }, 'issuer-unavailable'],
      [{ status: 200, body: '<html>' }, 'issuer-unavailable'],
      [{ status: 302, headers: { location: 'https://evil.example' }, body: '' }, 'issuer-unavailable'],
    ]
    for (const [answer, kind] of others) {
      plain.answer('token', answer)
      await expect(signIn.refresh('plain', tokens, 'ana')).rejects.toMatchObject({ failure: { kind } })
    }
  })

  test('that speaks of somebody else, or brings the nonce of another sign-in, is refused', async () => {
    const signIn = await open()
    const { tokens } = await finish(signIn, { refresh_token: 'r1' })
    for (const claims of [{ sub: 'vic' }, { nonce: 'other' }, { aud: 'other' }, { iss: 'https://evil.example' }]) {
      answerRefresh({ id_token: idToken(claims) })
      await expect(signIn.refresh('plain', tokens, 'ana')).rejects.toMatchObject({
        failure: { kind: 'sign-in-failed', reason: 'answer-rejected' },
      })
    }
  })

  test('without an ID token reads userinfo again, which then knows better', async () => {
    const signIn = await open({}, { userinfo_endpoint: `${plain.issuer}/userinfo` })
    const before = await finish(signIn, { refresh_token: 'r1', claims: { groups: ['admins'] } })
    answerRefresh({ refresh_token: 'r2' })
    plain.answer('userinfo', { body: { sub: 'ana', groups: ['viewers'], exp: 1 } })
    const { claims, tokens } = await refreshed(signIn, before)
    expect(lastAt('/userinfo')?.headers.authorization).toBe('Bearer a2')
    expect(claims).toEqual({ ...before.claims, groups: ['viewers'] })
    expect(tokens.idToken.reveal()).toBe(before.tokens.idToken.reveal())
  })

  test('without an ID token no longer counts what userinfo has ceased to say', async () => {
    const signIn = await open({}, { userinfo_endpoint: `${plain.issuer}/userinfo` })
    plain.answer('userinfo', { body: { sub: 'ana', groups: ['admins'] } })
    const before = await finish(signIn, { refresh_token: 'r1', claims: { groups: undefined } })
    expect(before.claims['groups']).toEqual(['admins'])
    answerRefresh({ refresh_token: 'r2' })
    plain.answer('userinfo', { body: { sub: 'ana' } })
    const { claims } = await refreshed(signIn, before, before.claims)
    expect(claims['groups']).toBeUndefined()
  })

  test('keeps what it was given, and the claims before, where userinfo cannot be had then', async () => {
    const signIn = await open({}, { userinfo_endpoint: `${plain.issuer}/userinfo` })
    plain.answer('userinfo', { body: { sub: 'ana', groups: ['analytics'] } })
    const before = await finish(signIn, { refresh_token: 'r1', claims: { groups: undefined } })
    for (const answer of [
      { status: 500, body: '' },
      { status: 401, headers: { 'www-authenticate': 'Bearer' }, body: '' },
      { body: { sub: 'vic', groups: ['admins'] } },
    ]) {
      plain.answer('userinfo', answer)
      for (const id_token of [undefined, idToken({ groups: undefined })]) {
        answerRefresh({ refresh_token: 'r2', id_token })
        const { claims, tokens } = await refreshed(signIn, before, before.claims)
        expect(tokens.refreshToken?.reveal()).toBe('r2')
        expect(claims).toMatchObject({ sub: 'ana', groups: ['analytics'] })
      }
    }
  })

  test('keeps what it was given where the issuer’s keys cannot be had for the new ID token', async () => {
    const signIn = await open()
    const before = await finish(signIn, { refresh_token: 'r1' })
    answerRefresh({ refresh_token: 'r2', id_token: idToken({ groups: ['viewers'] }) })
    plain.answer('jwks', { status: 500, body: '' })
    clock.turn({ hours: 25 })
    const { claims, tokens } = await refreshed(signIn, before)
    expect(tokens.refreshToken?.reveal()).toBe('r2')
    expect(tokens.idToken.reveal()).toBe(before.tokens.idToken.reveal())
    expect(claims).toMatchObject({ groups: ['analytics'] })
    clock.turn({ hours: -25 })
  })
})

test('the way out names the client and the ID token, or is not there', async () => {
  const signIn = await open({}, { end_session_endpoint: `${plain.issuer}/end?theme=dark` })
  const url = new URL(signIn.endSessionUrl('plain', new Secret('the.id.token')) ?? '')
  expect(Object.fromEntries(url.searchParams)).toEqual({
    theme: 'dark',
    client_id: 'web',
    id_token_hint: 'the.id.token',
    post_logout_redirect_uri: 'https://app.example.com/sallyport/signed-out',
  })
  expect(signIn.endSessionUrl('other', new Secret('x'))).toBeUndefined()
})

test('before the issuer was reached nobody is sent there, and nobody is sent there to sign out', async () => {
  plain.answer('discovery', { status: 500, body: '' })
  const signIn = createSignIn({
    issuers: [{ issuer, login: { clientId: 'web', clientSecret: undefined, scopes: ['openid'] } }],
    vault: { read: never, write: never, take: never },
    clock,
    callbackUrl: CALLBACK,
    signedOutUrl: CALLBACK,
  })
  await expect(begin(signIn)).rejects.toMatchObject({ failure: { kind: 'issuer-unavailable' } })
  expect(signIn.endSessionUrl('plain', new Secret('x'))).toBeUndefined()
})

function never(): never {
  throw new Error('the vault is not for this')
}
