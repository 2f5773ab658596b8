import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { createPublicKey } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createBrowser } from '../../demo/issuer/browser.ts'
import { CREDENTIALS } from '../../demo/issuer/clients.ts'
import { type DemoIssuer, startIssuer } from '../../demo/issuer/issuer.ts'
import { choosePerson, signIn } from '../../demo/issuer/sign-in.ts'

let issuer: DemoIssuer

beforeEach(async () => {
  issuer = await startIssuer()
})

afterEach(() => issuer.close())

/** What a careful resource server does with an access token. */
const verify = (token: string) =>
  jwtVerify(token, createRemoteJWKSet(new URL(`${issuer.issuer}/jwks`)), {
    issuer: issuer.issuer,
    audience: 'sallyport',
    algorithms: ['RS256'],
    typ: 'at+jwt',
  })

function basic({ clientId, clientSecret }: { clientId: string; clientSecret: string }): string {
  return `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`
}

const introspect = (
  token: string,
  credentials: { clientId: string; clientSecret: string } = CREDENTIALS.resourceServer,
) =>
  fetch(`${issuer.issuer}/token/introspection`, {
    method: 'POST',
    headers: { authorization: basic(credentials) },
    body: new URLSearchParams({ token }),
  })

describe('signing in', () => {
  test('gives a JWT that the published keys verify, with everything said of the person', async () => {
    const { accessToken, idToken, refreshToken, expiresAt } = await issuer.signIn('ana')
    const { payload } = await verify(accessToken)
    expect(payload).toMatchObject({
      sub: 'ana',
      aud: 'sallyport',
      email: 'ana@example.com',
      email_verified: true,
      name: 'Ana Alvarez',
      preferred_username: 'ana',
      groups: ['analytics'],
      region: 'EMEA',
      department: 'finance',
    })
    expect(Math.abs(expiresAt.getTime() / 1000 - (payload.exp ?? 0))).toBeLessThan(5)
    expect(decodeJwt(idToken)).toMatchObject({ aud: 'demo-cli', sub: 'ana', groups: ['analytics'] })
    expect(refreshToken).toBeUndefined()
  })

  test('gives an opaque token that introspection knows by audience, issuer, expiry and person', async () => {
    const { accessToken } = await issuer.signIn('vic', { format: 'opaque' })
    expect(accessToken).not.toContain('.')
    const answer = await introspect(accessToken)
    expect(answer.status).toBe(200)
    expect(await answer.json()).toMatchObject({
      active: true,
      sub: 'vic',
      aud: 'sallyport',
      iss: issuer.issuer,
      exp: expect.closeTo(Date.now() / 1000 + 3600, -2),
      email: 'vic@example.com',
      name: 'Vic Okafor',
      groups: ['viewers'],
      region: 'AMER',
    })
    expect(issuer.hits.introspection).toBe(1)
  })

  test('gives a refresh token for offline access, and that token buys another of the same audience', async () => {
    const { refreshToken = '' } = await issuer.signIn('nora', { scopes: ['openid', 'offline_access'] })
    const answer = await fetch(`${issuer.issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token: refreshToken,
        client_id: CREDENTIALS.cli.clientId,
      }),
    })
    const body = Object(await answer.json())
    const { payload } = await verify(String(body['access_token']))
    expect(payload).toMatchObject({ sub: 'nora', groups: [] })
  })

  test('works for the client with a secret, and needs no second choice within one session', async () => {
    const browser = createBrowser()
    const redirectUri = 'http://127.0.0.1:4180/sallyport/callback'
    issuer.setWebClient({ redirectUris: [redirectUri] })
    const web = { issuer: issuer.issuer, ...CREDENTIALS.web, redirectUri, browser, person: 'ana' }
    const first = await signIn(web)
    expect(first.refreshToken).toEqual(expect.any(String))
    expect(decodeJwt(first.idToken)).toMatchObject({ aud: 'web', sid: expect.any(String), email: 'ana@example.com' })
    const pagesSeen = issuer.hits.interaction
    await signIn(web)
    expect(issuer.hits.interaction).toBe(pagesSeen)
  })

  test('shows everybody on a page that runs nothing and loads nothing, and refuses who is not there', async () => {
    const query = new URLSearchParams({
      client_id: 'web',
      response_type: 'code',
      scope: 'openid',
      redirect_uri: 'http://127.0.0.1:8080/sallyport/callback',
      code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      code_challenge_method: 'S256',
    })
    const browser = createBrowser()
    const page = await browser.open(`${issuer.issuer}/auth?${query.toString()}`)
    expect(page.status).toBe(200)
    for (const { name } of issuer.people) expect(page.body).toContain(name)
    expect(page.headers['content-security-policy']).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; form-action 'self' http:\/\/127\.0\.0\.1:8080;/,
    )
    const refused = await choosePerson(browser, page, 'mallory')
    expect(refused.status).toBe(400)
    expect(refused.body).toContain('role="alert"')
    const back = await choosePerson(browser, refused, 'ana', url => url.port === '8080')
    expect(back.url.searchParams.get('code')).toEqual(expect.any(String))
  })

  test('asks for PKCE of every client, and says so at the redirect URI', async () => {
    const query = new URLSearchParams({
      client_id: 'web',
      response_type: 'code',
      scope: 'openid',
      redirect_uri: 'http://127.0.0.1:8080/sallyport/callback',
    })
    const page = await createBrowser().open(`${issuer.issuer}/auth?${query.toString()}`, {
      stopAt: url => url.port === '8080',
    })
    expect(page.url.searchParams.get('error')).toBe('invalid_request')
  })

  test('prints nothing on the console', async () => {
    const spies = (['log', 'info', 'warn', 'error'] as const).map(level => vi.spyOn(console, level))
    await issuer.signIn('ana', { format: 'opaque' })
    for (const spy of spies) expect(spy).not.toHaveBeenCalled()
    vi.restoreAllMocks()
  })
})

describe('introspection', () => {
  test('is refused to wrong credentials, and tells other clients nothing', async () => {
    const { accessToken } = await issuer.signIn('ana', { format: 'opaque' })
    expect((await introspect(accessToken, { clientId: 'sallyport-rs', clientSecret: 'wrong' })).status).toBe(401)
    expect(await (await introspect(accessToken, CREDENTIALS.web)).json()).toEqual({ active: false })
  })

  test('says of an unknown token that it is not active', async () => {
    expect(await (await introspect('never-issued')).json()).toEqual({ active: false })
  })
})

describe('keys', () => {
  test('rotate: the new one signs, the old one stays published, sessions and opaque tokens live on', async () => {
    const before = await issuer.signIn('ana')
    const opaque = await issuer.signIn('ana', { format: 'opaque' })
    await issuer.rotateKeys()
    const after = await issuer.signIn('ana')
    expect(decodeProtectedHeader(after.accessToken).kid).not.toBe(decodeProtectedHeader(before.accessToken).kid)
    await verify(before.accessToken)
    await verify(after.accessToken)
    expect(issuer.signingKeys).toHaveLength(2)
    expect(await (await introspect(opaque.accessToken)).json()).toMatchObject({ active: true })
  })

  test('dropped, no longer verify what they signed', async () => {
    const { accessToken } = await issuer.signIn('ana')
    await issuer.rotateKeys({ dropOld: true })
    await expect(verify(accessToken)).rejects.toThrow('no applicable key')
    await verify((await issuer.signIn('ana')).accessToken)
  })

  test('sign whatever a test asks for: good by default, of any person, at any time, with any header', async () => {
    expect((await verify(await issuer.sign())).payload).toMatchObject({ sub: 'ana', groups: ['analytics'] })
    expect((await verify(await issuer.sign({ sub: 'vic' }))).payload).toMatchObject({ email: 'vic@example.com' })
    await expect(verify(await issuer.sign({ aud: 'other' }))).rejects.toThrow('"aud"')
    await expect(verify(await issuer.sign({ exp: 1 }))).rejects.toThrow('"exp"')
    expect(decodeJwt(await issuer.sign({ exp: undefined }))).not.toHaveProperty('exp')
    expect(await issuer.sign({}, { header: { alg: 'None' } })).toMatch(/\.$/)
    expect(decodeProtectedHeader(await issuer.sign({}, { header: { crit: ['x'], kid: '../../key' } }))).toMatchObject({
      crit: ['x'],
      kid: '../../key',
    })
  })

  test('of other kinds sign properly, the public key as an HMAC secret among them', async () => {
    const [key] = issuer.signingKeys
    const pem = Buffer.from(createPublicKey({ key: { ...key }, format: 'jwk' }).export({ type: 'spki', format: 'pem' }))
    const confused = await issuer.sign({}, { header: { alg: 'HS256' }, key: pem })
    await expect(jwtVerify(confused, pem)).resolves.toBeDefined()
    await expect(verify(confused)).rejects.toThrow('"alg"')

    const { privateKey, publicKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
      'sign',
      'verify',
    ])
    const { kty, crv, x, y, d } = await crypto.subtle.exportKey('jwk', privateKey)
    const elliptic = await issuer.sign(
      {},
      { header: { alg: 'ES256' }, key: JSON.parse(JSON.stringify({ kty, crv, x, y, d })) },
    )
    await expect(jwtVerify(elliptic, publicKey)).resolves.toBeDefined()
  })
})

describe('faults', () => {
  const discover = () => fetch(`${issuer.issuer}/.well-known/openid-configuration`)

  test('down resets the connection of one family and leaves the others', async () => {
    issuer.fail('jwks', 'down')
    await expect(fetch(`${issuer.issuer}/jwks`)).rejects.toThrow('fetch failed')
    expect((await discover()).status).toBe(200)
    issuer.clear('jwks')
    expect((await fetch(`${issuer.issuer}/jwks`)).status).toBe(200)
    expect(issuer.hits).toMatchObject({ jwks: 2, discovery: 1 })
  })

  test('error is a 500, bad-json a 200 that does not parse', async () => {
    issuer.fail('introspection', 'error')
    expect((await introspect('any')).status).toBe(500)
    issuer.fail('introspection', 'bad-json')
    const answer = await introspect('any')
    expect(answer.status).toBe(200)
    await expect(answer.json()).rejects.toThrow(SyntaxError)
  })

  test('slow answers late but right, and does not hold up the end', async () => {
    issuer.fail('discovery', { slowMs: 150 })
    const startedAt = performance.now()
    expect((await discover()).status).toBe(200)
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(140)
    issuer.fail('discovery', { slowMs: 600_000 })
    const never = expect(discover()).rejects.toThrow('fetch failed')
    await vi.waitFor(() => expect(issuer.hits.discovery).toBe(2))
    await issuer.close()
    await never
    issuer = await startIssuer()
  })

  test('of everything last until everything is mended', async () => {
    issuer.fail('all', 'error')
    await expect(issuer.signIn('ana')).rejects.toThrow('no form')
    issuer.clear()
    await expect(issuer.signIn('ana')).resolves.toBeDefined()
  })
})

test('keeps to the issuer URL it was given, whatever address a request came by', async () => {
  const external = await startIssuer({ issuer: 'https://id.example.com' })
  try {
    const answer = await fetch(`${external.address}/.well-known/openid-configuration`, {
      headers: { 'x-forwarded-host': 'evil.example' },
    })
    expect(await answer.json()).toMatchObject({
      issuer: 'https://id.example.com',
      jwks_uri: 'https://id.example.com/jwks',
      token_endpoint: 'https://id.example.com/token',
    })
    expect(decodeJwt(await external.sign()).iss).toBe('https://id.example.com')
  } finally {
    await external.close()
  }
})

test('names its first key as every other issuer does, and makes it its own', async () => {
  const other = await startIssuer()
  try {
    expect(other.signingKeys[0]?.kid).toBe(issuer.signingKeys[0]?.kid)
    await expect(verify(await other.sign({ iss: issuer.issuer }))).rejects.toThrow('signature verification failed')
  } finally {
    await other.close()
  }
})

test('signing out at the issuer ends the session, tells the client by the back channel and returns', async () => {
  const logoutTokens: string[] = []
  const client = createServer((request, response) => {
    const keep = async () => {
      logoutTokens.push(new URLSearchParams(await text(request)).get('logout_token') ?? '')
      response.end()
    }
    void keep()
  }).listen(0, '127.0.0.1')
  await once(client, 'listening')
  const address = client.address()
  const origin = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  try {
    issuer.setWebClient({ redirectUris: [`${origin}/sallyport/callback`] })
    const browser = createBrowser()
    const redirectUri = `${origin}/sallyport/callback`
    const { idToken } = await signIn({ issuer: issuer.issuer, ...CREDENTIALS.web, redirectUri, browser, person: 'vic' })
    const query = new URLSearchParams({
      id_token_hint: idToken,
      post_logout_redirect_uri: `${origin}/sallyport/signed-out`,
      state: 's1',
    })
    const page = await browser.open(`${issuer.issuer}/session/end?${query.toString()}`)
    expect(page.headers['content-security-policy']).toContain(`form-action 'self' ${origin};`)
    const back = await browser.submit(page, { logout: 'yes' }, { stopAt: url => url.origin === origin })
    expect(back.url.href).toBe(`${origin}/sallyport/signed-out?state=s1`)
    const [logoutToken = ''] = logoutTokens
    expect(decodeJwt(logoutToken)).toMatchObject({ aud: 'web', sub: 'vic', sid: decodeJwt(idToken)['sid'] })
  } finally {
    client.close()
    client.closeAllConnections()
  }
})
