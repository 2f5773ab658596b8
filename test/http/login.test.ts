import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser } from '../../demo/issuer/browser.ts'
import { answerOf, sessionOf, signIn, whoIs } from '../support/sign-in.ts'
import { json, type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.loginSidecar()
})
afterEach(() => world.issuer.clear())
afterAll(() => world.close())

const locationOf = (response: Response): URL => new URL(response.headers.get('location') ?? '', sidecar.url)

describe('signing in', () => {
  test('leads to the issuer and back to the page that was wanted, with a session that says who it is', async () => {
    const { browser, page } = await signIn(sidecar, 'ana', { returnTo: '/sallyport/session?tab=2' })
    expect(page.url.href).toBe(`${sidecar.url}/sallyport/session?tab=2`)
    expect(JSON.parse(page.body)).toMatchObject({
      subject: 'ana',
      email: 'ana@example.com',
      groups: ['analytics'],
      issuer: 'corp',
      grant: 'explorer',
    })
    expect(await whoIs(sidecar, sessionOf(browser, sidecar))).toBe('ana')
  })

  test('41 asks for a code with PKCE S256, the exact redirect_uri, and a state and a nonce that were never used before', async () => {
    const first = locationOf(await sidecar.fetch('/sallyport/login'))
    const second = locationOf(await sidecar.fetch('/sallyport/login'))
    const query = Object.fromEntries(first.searchParams)
    expect(first.href).toMatch(`${world.issuer.issuer}/auth?`)
    expect(query).toEqual({
      response_type: 'code',
      client_id: 'web',
      redirect_uri: `${sidecar.url}/sallyport/callback`,
      scope: 'openid email profile',
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: 'S256',
    })
    for (const name of ['state', 'nonce', 'code_challenge']) {
      expect(second.searchParams.get(name)).not.toBe(query[name])
    }
  })

  test('neither the way there nor the way back is kept in a cache or told to the next page', async () => {
    const { browser, answer } = await answerOf(sidecar, 'ana')
    const login = await sidecar.fetch('/sallyport/login')
    const callback = await fetch(answer, { redirect: 'manual', headers: { cookie: browser.cookieHeader(answer) } })
    expect(callback.status).toBe(302)
    for (const { headers } of [login, callback]) {
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('referrer-policy')).toBe('no-referrer')
    }
  })

  test('50 five tabs that begin at once, in a browser that was never here, all sign in', async () => {
    const browser = createBrowser()
    const pages = ['one', 'two', 'three', 'four', 'five'].map(tab => `/sallyport/session?tab=${tab}`)
    const answers = await Promise.all(pages.map(returnTo => answerOf(sidecar, 'ana', { browser, returnTo })))
    const ended = await Promise.all(answers.map(({ answer }) => browser.open(answer)))
    expect(ended.map(({ url, status }) => [`${url.pathname}${url.search}`, status])).toEqual(
      pages.map(page => [page, 200]),
    )
  })

  test('a tab that begins later shares the cookie of the first', async () => {
    const first = await sidecar.fetch('/sallyport/login')
    const cookie = first.headers.get('set-cookie')?.split(';')[0] ?? ''
    const second = await sidecar.fetch('/sallyport/login', { headers: { cookie } })
    expect(second.headers.get('set-cookie')).toContain(cookie)
  })

  test('is one audit line with the person, and neither a code nor a state in any line', async () => {
    const { answer, browser } = await answerOf(sidecar, 'vic')
    await browser.open(answer)
    const lines = sidecar.audit.filter(({ api }) => JSON.stringify(api).includes('GET /sallyport/callback'))
    expect(lines.at(-1)).toMatchObject({ actor: { user: { uid: 'vic' } }, status_detail: 'signed-in' })
    for (const name of ['code', 'state']) {
      const secret = answer.searchParams.get(name) ?? 'missing'
      expect(sidecar.auditText() + sidecar.logText()).not.toContain(secret)
    }
  })

  test('while the issuer cannot be reached for the code is 503, and signs nobody in', async () => {
    const { browser, answer } = await answerOf(sidecar, 'ana')
    for (const fault of ['down', 'error', 'bad-json'] as const) {
      const next = await answerOf(sidecar, 'ana', { browser })
      world.issuer.fail('token', fault)
      const page = await browser.open(next.answer)
      world.issuer.clear()
      expect({ fault, status: page.status }).toEqual({ fault, status: 503 })
      expect(page.headers['set-cookie']).toBeUndefined()
      expect(page.body).toContain('try again')
    }
    expect((await browser.open(answer)).status).toBe(200)
  })

  test('with a code that the issuer refuses is 400', async () => {
    const { browser, answer } = await answerOf(sidecar, 'ana')
    answer.searchParams.set('code', 'made-up')
    const page = await browser.open(answer)
    expect(page.status).toBe(400)
    expect(page.body).toContain('Start again')
    expect(sessionOf(browser, sidecar)).toBeUndefined()
    expect(sidecar.logText()).toContain('invalid_grant')
  })

  test('with a program that wants no page is refused with a problem document', async () => {
    const response = await sidecar.fetch('/sallyport/callback?state=unknown', {
      headers: { accept: 'application/json' },
    })
    expect(response.status).toBe(400)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(await json(response)).toMatchObject({ type: 'urn:sallyport:problem:sign-in-failed', status: 400 })
  })

  test('at an unknown endpoint of the same kind is 404, with another method 405', async () => {
    expect((await sidecar.fetch('/sallyport/login', { method: 'POST' })).status).toBe(405)
    expect((await sidecar.fetch('/sallyport/callback', { method: 'POST' })).status).toBe(405)
    expect((await sidecar.fetch('/sallyport/logout')).status).toBe(405)
  })
})

test('without login in the configuration there is no such endpoint', async () => {
  const broker = await world.sidecar()
  for (const path of ['login', 'callback', 'signed-out']) {
    expect((await broker.fetch(`/sallyport/${path}`)).status).toBe(404)
  }
})
