import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Browser, createBrowser } from '../../demo/issuer/browser.ts'
import { type DemoIssuer, startIssuer } from '../../demo/issuer/issuer.ts'
import { choosePerson } from '../../demo/issuer/sign-in.ts'
import { freePort } from '../../demo/free-port.ts'
import { sessionOf } from '../support/sign-in.ts'
import { json, LOGIN, type Sidecar, startWorld, webClientOf, type World } from '../support/world.ts'

let world: World
let partner: DemoIssuer
let sidecar: Sidecar
beforeAll(async () => {
  world = await startWorld()
  partner = await startIssuer()
  // Of a third nobody ever hears.
  const silent = `http://127.0.0.1:${await freePort()}`
  const audiences = ['sallyport']
  sidecar = await world.loginSidecar(
    {
      issuers: [
        { name: 'corp', issuer: world.issuer.issuer, audiences, login: LOGIN },
        { name: 'partner', issuer: partner.issuer, audiences, login: LOGIN },
        { name: 'silent', issuer: silent, audiences, login: LOGIN },
        { name: 'services', issuer: `${silent}/services`, audiences },
      ],
    },
    { awaitReady: false },
  )
  partner.setWebClient(webClientOf(sidecar.url))
  for (const name of ['corp', 'partner']) {
    const begins = async () => expect((await sidecar.fetch(`/sallyport/login?issuer=${name}`)).status).toBe(302)
    await vi.waitFor(begins, { timeout: 5000, interval: 20 })
  }
})
afterAll(() => Promise.all([world.close(), partner.close()]))

const hrefsIn = (page: string): string[] =>
  Array.from(page.matchAll(/href="([^"]+)"/g), ([, href = '']) => href.replaceAll('&#38;', '&'))

async function signInAt(issuer: string, browser: Browser = createBrowser()): Promise<Record<string, unknown>> {
  const page = await browser.open(`${sidecar.url}/sallyport/login?return_to=/sallyport/session&issuer=${issuer}`)
  await choosePerson(browser, page, 'ana')
  return json(sidecar.fetch('/sallyport/session', { headers: { cookie: `sallyport=${sessionOf(browser, sidecar)}` } }))
}

test('a person chooses whom to sign in with, and is brought where they wanted to go', async () => {
  const browser = createBrowser()
  const page = await browser.open(`${sidecar.url}/sallyport/login?return_to=/looks/42?a=1%26b=2`)
  expect(page.status).toBe(200)
  expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
  expect(page.headers['content-security-policy']).toContain("default-src 'none'")
  expect(page.headers['cache-control']).toBe('no-store')
  expect(hrefsIn(page.body)).toEqual(
    ['corp', 'partner', 'silent'].map(
      name => `/sallyport/login?return_to=%2Flooks%2F42%3Fa%3D1%26b%3D2&issuer=${name}`,
    ),
  )
  const [, href = ''] = hrefsIn(page.body)
  const asked = await browser.open(new URL(href, sidecar.url))
  expect(asked.url.origin).toBe(partner.issuer)
})

test('the same person at two issuers is two people', async () => {
  expect(await signInAt('corp')).toMatchObject({ subject: 'ana', issuer: 'corp' })
  expect(await signInAt('partner')).toMatchObject({ subject: 'ana', issuer: 'partner' })
})

test('an issuer that was never reached is 503, the others work, and nothing is kept of the attempt', async () => {
  const response = await sidecar.fetch('/sallyport/login?issuer=silent', { headers: { accept: 'text/html' } })
  expect(response.status).toBe(503)
  expect(response.headers.get('retry-after')).toBe('5')
  expect(response.headers.get('set-cookie')).toBeNull()
  const page = await response.text()
  expect(page).toContain('try again')
  expect(page).not.toMatch(/127\.0\.0\.1:\d+\/services|ECONN/)
  expect(await signInAt('corp')).toMatchObject({ issuer: 'corp' })
})

test('an issuer that is not there, that is not for people, or that is named twice is not signed in with', async () => {
  for (const query of ['issuer=other', 'issuer=services', 'issuer=', 'issuer=Corp']) {
    const response = await sidecar.fetch(`/sallyport/login?${query}`)
    expect({ query, status: response.status }).toEqual({ query, status: 400 })
  }
  expect((await sidecar.fetch('/sallyport/login?issuer=corp&issuer=partner')).status).toBe(200)
})
