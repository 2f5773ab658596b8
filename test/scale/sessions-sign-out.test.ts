import { createBrowser } from '../../demo/issuer/browser.ts'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { sessionOf, signIn, whoIs } from '../support/sign-in.ts'
import { createTurnedClock } from '../support/turned-clock.ts'
import { json, type Sidecar, startWorld, type World } from '../support/world.ts'
import { createPeople, startReplicas } from './sessions.ts'

const people = createPeople(3)
let world: World
let replicas: readonly [Sidecar, Sidecar]
beforeAll(async () => {
  world = await startWorld({ issuer: { people } })
  // The clock stands: of itself no replica looks again at what it remembers. So what it learns it was told.
  replicas = await startReplicas(world, createTurnedClock())
})
afterAll(() => world.close())

interface SignOut {
  readonly how: string
  readonly person: string
  end(site: { session: string; browser: ReturnType<typeof createBrowser>; person: string }): Promise<unknown>
}

const SIGN_OUTS: SignOut[] = [
  {
    how: 'a sign-out',
    person: 'person-0',
    async end({ session }) {
      const [here] = replicas
      const headers = { cookie: `sallyport=${session}`, origin: here.url }
      const response = await here.fetch('/sallyport/logout', { method: 'POST', headers })
      expect(response.status).toBe(303)
    },
  },
  {
    how: 'a sign-out at the issuer, which tells one replica,',
    person: 'person-1',
    async end({ browser }) {
      const page = await browser.open(`${world.issuer.issuer}/session/end`)
      expect((await browser.submit(page, { logout: 'yes' })).body).toContain('has ended')
    },
  },
  {
    how: 'a logout token of the subject',
    person: 'person-2',
    async end({ person }) {
      const events = { 'http://schemas.openid.net/event/backchannel-logout': {} }
      const logoutToken = await world.issuer.sign(
        { sub: person, aud: 'web', events },
        { header: { typ: 'logout+jwt' } },
      )
      const body = new URLSearchParams({ logout_token: logoutToken })
      const response = await replicas[0].fetch('/sallyport/backchannel-logout', { method: 'POST', body })
      expect(response.status).toBe(200)
    },
  },
]

test.for(SIGN_OUTS)(
  '$how ends the session and the Looker token on the other replica too, at once',
  async ({ person, end }) => {
    const { browser } = await signIn(replicas[0], person)
    const session = sessionOf(browser, replicas[0]) ?? ''
    const bearer = await world.issuer.sign({ sub: person })
    const tokens = (): Promise<unknown[]> =>
      Promise.all(replicas.map(async replica => (await json(replica.exchange(bearer)))['access_token']))
    const who = (): Promise<unknown[]> => Promise.all(replicas.map(replica => whoIs(replica, session)))
    const looker = (): number => world.looker.tokenCount(world.looker.users.find(`corp|${person}`)?.id)
    const origin = replicas[0].url
    const [first, other] = await Promise.all(
      replicas.map(async replica => {
        const headers = { cookie: `sallyport=${session}`, origin }
        return (await json(replica.fetch('/sallyport/looker/token', { method: 'POST', headers })))['access_token']
      }),
    )
    expect(first).toBeTypeOf('string')
    expect([other, ...(await tokens())]).toEqual([first, first, first])
    expect(await who()).toEqual([person, person])
    expect(looker()).toBe(1)
    world.looker.calls.reset()

    await end({ session, browser, person })
    expect(await whoIs(replicas[0], session)).toBe(401)
    await vi.waitFor(async () => expect(await who()).toEqual([401, 401]), { timeout: 4000, interval: 5 })
    // At Looker there is none, and each replica makes or finds the one new token.
    expect(looker()).toBe(0)
    await vi.waitFor(async () => expect((await tokens()).includes(first)).toBe(false), { timeout: 4000, interval: 5 })
    const [here, there] = await tokens()
    expect(here).toBe(there)
    expect(world.looker.calls.count('login_user')).toBe(1)
    expect(looker()).toBe(1)
  },
)
