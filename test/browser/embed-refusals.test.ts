import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { ACQUIRE, heardBy, setEmbedStage } from './embed-stage.ts'

const stage = setEmbedStage()

/** How connecting to a dashboard fails. */
const refusalOf = (page: Page, id: string): Promise<unknown> =>
  page.evaluate(`embed.show('${id}').catch(({ name, status, type }) => ({ name, status, type }))`)

/** What Looker's own page in the frame says. */
async function saidIn(page: Page): Promise<string> {
  const body = page.locator('iframe').contentFrame().locator('body')
  await expect.poll(() => body.innerText()).toMatch(/\S/)
  return body.innerText()
}

test('who is not signed in is told so, and no frame is begun', async () => {
  const world = await stage.open()
  const page = await world.openPage(await world.profile())
  const type = 'urn:sallyport:problem:unauthenticated'
  expect(await refusalOf(page, '1')).toEqual({ name: 'SallyportError', status: 401, type })
  expect(await heardBy(page)).toEqual(['signInNeeded'])
  expect(await page.locator('iframe').count()).toBe(0)
})

test('who has no grant is told so, and Looker is not asked', async () => {
  const world = await stage.open()
  const page = await world.openPage(await world.profile('nora'))
  const type = 'urn:sallyport:problem:no-grant'
  expect(await refusalOf(page, '1')).toEqual({ name: 'SallyportError', status: 403, type })
  expect(await heardBy(page)).toEqual([])
  expect(world.looker.calls.count(ACQUIRE)).toBe(0)
})

test('a User-Agent that was changed on the way to Sallyport is refused by Looker in the frame', async () => {
  const world = await stage.open()
  const page = await world.openPage(await world.profile('ana'))
  await page.route('**/sallyport/looker/embed/session', route =>
    route.continue({ headers: { ...route.request().headers(), 'user-agent': 'A proxy that means well' } }),
  )
  await page.evaluate(`void embed.show('1')`)
  expect(await saidIn(page)).toContain('Single sign on failure')
})

test('a dashboard of a model that is not granted is refused by Looker in the frame', async () => {
  const world = await stage.open()
  const page = await world.openPage(await world.profile('ana'))
  await page.evaluate(`void embed.show('3')`)
  expect(await saidIn(page)).toContain('Oops, we can’t find that page')
})
