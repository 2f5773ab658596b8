import { afterAll, beforeAll, expect, test } from 'vitest'
import { createBrowser } from '../../demo/issuer/browser.ts'
import { answerOf, sessionOf, signIn, whoIs } from '../support/sign-in.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.loginSidecar()
})
afterAll(() => world.close())

test('49 whoever signs in again gets another session id, and the one before is over', async () => {
  const { browser } = await signIn(sidecar, 'ana')
  const before = sessionOf(browser, sidecar)
  await signIn(sidecar, 'ana', { browser })
  const after = sessionOf(browser, sidecar)
  expect(after).not.toBe(before)
  expect(await whoIs(sidecar, after)).toBe('ana')
  expect(await whoIs(sidecar, before)).toBe(401)
})

test('49 an id that was put into the browser before is not the id after sign-in, and never becomes a session', async () => {
  const planted = 'A'.repeat(43)
  const { browser, answer } = await answerOf(sidecar, 'ana')
  const response = await fetch(answer, {
    redirect: 'manual',
    headers: { cookie: `${browser.cookieHeader(answer)}; sallyport=${planted}` },
  })
  const [session] = response.headers.getSetCookie().map(cookie => /^sallyport=([^;]+)/.exec(cookie)?.[1])
  expect(session).toMatch(/^[\w-]{43}$/)
  expect(session).not.toBe(planted)
  expect(await whoIs(sidecar, planted)).toBe(401)
  expect(await whoIs(sidecar, session)).toBe('ana')
})

test('49 two people who sign in have two sessions', async () => {
  const ana = await signIn(sidecar, 'ana')
  const vic = await signIn(sidecar, 'vic', { browser: createBrowser() })
  expect(await whoIs(sidecar, sessionOf(ana.browser, sidecar))).toBe('ana')
  expect(await whoIs(sidecar, sessionOf(vic.browser, sidecar))).toBe('vic')
})
