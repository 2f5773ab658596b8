import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type PlainIssuer, startPlainIssuer } from '../support/plain-issuer.ts'
import { answerTokens, begin, comeBack } from '../support/plain-sign-in.ts'
import { sessionOf, signIn, whoIs } from '../support/sign-in.ts'
import { type Sidecar, startSidecar, startWorld, type World } from '../support/world.ts'

let world: World
let issuer: PlainIssuer
beforeAll(async () => {
  world = await startWorld()
  issuer = await startPlainIssuer()
})
afterAll(() => Promise.all([issuer.close(), world.close()]))

describe('behind https', () => {
  let sidecar: Sidecar
  beforeAll(async () => {
    const written = { name: 'plain', issuer: issuer.issuer, audiences: ['sallyport'], login: { clientId: 'web' } }
    const server = { publicUrl: 'https://app.example.com' }
    sidecar = await startSidecar(world.written({ server, issuers: [written] }))
  })
  afterAll(() => sidecar.close())

  async function signedIn(): Promise<Response> {
    const begun = await begin(sidecar)
    answerTokens(issuer, begun.nonce)
    return comeBack(sidecar, begun)
  }
  const attributesOf = (cookie: string | undefined): string[] => (cookie ?? '').split('; ').slice(1).sort()
  const ALWAYS = ['HttpOnly', 'Path=/', 'SameSite=Lax', 'Secure']

  test('57 the session cookie is __Host-, Secure, HttpOnly, Path=/, SameSite=Lax, and has no Domain', async () => {
    const [cookie, ...more] = (await signedIn()).headers.getSetCookie()
    expect(more).toEqual([])
    expect(cookie).toMatch(/^__Host-sallyport=[\w-]{43};/)
    expect(attributesOf(cookie)).toEqual(ALWAYS)
  })

  test('57 the cookie of a sign-in under way is no less guarded, and gone after ten minutes', async () => {
    const [cookie, ...more] = (await sidecar.fetch('/sallyport/login')).headers.getSetCookie()
    expect(more).toEqual([])
    expect(cookie).toMatch(/^__Host-sallyport-login-[\w-]+=[\w-]{43};/)
    expect(attributesOf(cookie)).toEqual([...ALWAYS, 'Max-Age=600'].sort())
  })

  test('57 signing out clears the same cookie', async () => {
    const cookie = (await signedIn()).headers.getSetCookie()[0]?.split(';')[0] ?? ''
    const headers = { cookie, origin: 'https://app.example.com' }
    const response = await sidecar.fetch('/sallyport/logout', { method: 'POST', headers })
    expect(response.status).toBe(303)
    const [cleared] = response.headers.getSetCookie()
    expect(cleared).toMatch(/^__Host-sallyport=;/)
    expect(attributesOf(cleared)).toEqual([...ALWAYS, 'Max-Age=0'].sort())
  })

  test('57 a cookie without the prefix, which any host beside this one could set, is no session', async () => {
    const cookie = (await signedIn()).headers.getSetCookie()[0]?.split(';')[0] ?? ''
    expect((await sidecar.fetch('/sallyport/session', { headers: { cookie } })).status).toBe(200)
    const bare = cookie.replace('__Host-', '')
    expect((await sidecar.fetch('/sallyport/session', { headers: { cookie: bare } })).status).toBe(401)
  })
})

test('58 a cookie that was tampered with, cut, made longer or swapped is nobody, and never a 500', async () => {
  const sidecar = await world.loginSidecar()
  const { browser } = await signIn(sidecar, 'ana')
  const session = sessionOf(browser, sidecar) ?? ''
  const flip = (text: string): string => `${text.startsWith('A') ? 'B' : 'A'}${text.slice(1)}`
  const last = `${session.slice(0, -1)}${session.endsWith('A') ? 'E' : 'A'}`
  const login = /sallyport-login-[\w-]+=([\w-]+)/.exec(browser.cookieHeader(sidecar.url))?.[1] ?? ''
  expect(login).toHaveLength(43)
  for (const forged of [
    flip(session),
    last,
    session.slice(0, -1),
    session.slice(1),
    `${session}A`,
    `${session}${session}`,
    `${session}%00`,
    `"${session}"`,
    session.toLowerCase(),
    login,
    '',
    'null',
    '__proto__',
    '../../etc/passwd',
    'a'.repeat(8000),
    'é'.repeat(20),
  ]) {
    const response = await sidecar.fetch('/sallyport/session', {
      headers: { cookie: `sallyport=${encodeURI(forged)}` },
    })
    expect({ forged, status: response.status }).toEqual({ forged, status: 401 })
    expect(response.headers.get('set-cookie')).toBeNull()
  }
  expect(await whoIs(sidecar, session)).toBe('ana')
})
