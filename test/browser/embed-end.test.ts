import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import type { DemoIssuerOptions } from '../../demo/issuer/issuer.ts'
import { demoPeople, type Person } from '../../demo/issuer/people.ts'
import { ACQUIRE, GENERATE, heardBy, setEmbedStage, show, titlesOf } from './embed-stage.ts'

const stage = setEmbedStage()
const DELETE = 'delete_embed_cookieless_session'

/** Has the page do what a page should once its session is over. */
async function reload(page: Page, ...ids: string[]): Promise<void> {
  const again = ids.map(id => `await embed.show('${id}')`).join('; ')
  await page.evaluate(
    `embed.looker.addEventListener('embedExpired', async () => { embed.remove(); ${again}; embed.heard.push('shown') })`,
  )
}

test('once the session is over the page is told once, and has its frames again with the next session', async () => {
  const world = await stage.open({ embed: { sessionLengthSeconds: 900 } })
  const page = await world.openPage(await world.profile('ana'))
  await show(page, '1', '2')
  await reload(page, '2', '1')
  await world.turn(8)
  await expect.poll(() => world.looker.calls.count(GENERATE)).toBe(1)
  await world.turn(8)
  await expect.poll(() => heardBy(page)).toContain('shown')
  expect(await titlesOf(page)).toEqual(['Brand lookup', 'Business pulse'])
  expect((await heardBy(page)).filter(name => name !== 'session:expired')).toEqual(['embedExpired', 'shown'])
  expect([world.looker.calls.count(ACQUIRE), world.looker.sessions.count()]).toEqual([2, 1])
  // And the second is as good as the first.
  await world.turn(8)
  expect((await heardBy(page)).at(-1)).toBe('shown')
  expect(await titlesOf(page)).toEqual(['Brand lookup', 'Business pulse'])
})

test('three tabs whose session is over recover, with one session and one acquire for each', async () => {
  const world = await stage.open({ embed: { sessionLengthSeconds: 900 } })
  const context = await world.profile('ana')
  const tabs = [await world.openPage(context), await world.openPage(context), await world.openPage(context)]
  for (const tab of tabs) {
    await show(tab, '1')
    await reload(tab, '2')
  }
  expect([world.looker.calls.count(ACQUIRE), world.looker.sessions.count()]).toEqual([3, 1])
  await world.turn(16)
  for (const tab of tabs) {
    await expect.poll(() => heardBy(tab)).toContain('shown')
    expect(await titlesOf(tab)).toEqual(['Brand lookup'])
  }
  expect([world.looker.calls.count(ACQUIRE), world.looker.sessions.count()]).toEqual([6, 1])
  expect(world.looker.calls.count(DELETE)).toBe(0)
})

test('a sign-out in another tab ends the session at Looker, and the page asks to sign in', async () => {
  const world = await stage.open()
  const context = await world.profile('ana')
  const [page, other] = [await world.openPage(context), await world.openPage(context)]
  await show(page, '1')
  expect(world.looker.sessions.count()).toBe(1)
  await other.evaluate(`fetch('/sallyport/logout', { method: 'POST', redirect: 'manual' }).then(() => {})`)
  await expect.poll(() => world.looker.sessions.count()).toBe(0)
  await expect.poll(() => heardBy(page)).toEqual(['session:expired', 'embedExpired'])
  expect(await page.evaluate(`embed.show('1').catch(({ status }) => status)`)).toBe(401)
  expect((await heardBy(page)).at(-1)).toBe('signInNeeded')
  expect([world.looker.calls.count(ACQUIRE), world.looker.sessions.count()]).toEqual([1, 0])
})

/** Ana, in groups that may change, with claims that are read again every minute. */
function changing(): { ana: { groups: string[] }; issuer: DemoIssuerOptions } {
  const ana = { ...(demoPeople[0] as Person), groups: ['analytics'] }
  return { ana, issuer: { people: [ana], accessTokenLifeSeconds: 60 } }
}

test('a grant that is changed while somebody looks at a dashboard is another session, with the new scope', async () => {
  const { ana, issuer } = changing()
  const world = await stage.open({ issuer })
  const page = await world.openPage(await world.profile('ana'))
  await show(page, '1')
  await reload(page, '1')
  const rights = () => world.looker.users.find('corp|ana')?.permissions
  expect(rights()).toContain('explore')
  ana.groups = ['viewers']
  // No further: a frame has half a minute to be loaded.
  await world.turn(8)
  await expect.poll(() => heardBy(page)).toContain('shown')
  expect(rights()).not.toContain('explore')
  expect(await titlesOf(page)).toEqual(['Business pulse'])
  expect([ACQUIRE, DELETE].map(world.looker.calls.count)).toEqual([2, 1])
  expect(world.looker.sessions.count()).toBe(1)
})

test('who has no grant any more sees nothing once the tokens of the frame have run out', async () => {
  const { ana, issuer } = changing()
  const world = await stage.open({ issuer })
  const page = await world.openPage(await world.profile('ana'))
  await show(page, '1')
  ana.groups = []
  await world.turn(12)
  await expect.poll(() => heardBy(page)).toEqual(['session:expired', 'embedExpired'])
  expect(await titlesOf(page)).toEqual(['Your session has expired'])
  expect(await page.evaluate(`embed.show('1').catch(({ status }) => status)`)).toBe(403)
})
