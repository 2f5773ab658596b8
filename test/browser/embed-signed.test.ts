import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { ACQUIRE, type EmbedWorld, setEmbedStage, titlesOf } from './embed-stage.ts'

const stage = setEmbedStage()
const SIGN = 'create_sso_embed_url'
const SECRET = 'a secret that Looker made'

/** A page that embeds with signed URLs, as the Embed SDK has it. */
async function openSigned(world: EmbedWorld): Promise<Page> {
  const page = await world.openPage(
    await world.profile('ana'),
    `import { getEmbedSDK } from '@looker/embed-sdk'
    const sdk = getEmbedSDK()
    sdk.init('${world.looker.secureUrl}', { url: '/sallyport/looker/embed/url' })
    window.show = builder => builder.appendTo(document.body).build().connect({ waitUntilLoaded: true }).then(() => {})
    window.sdk = sdk`,
  )
  await page.waitForFunction('window.sdk')
  return page
}

test.each([
  ['by Looker', undefined],
  ['with an embed secret, hmac/sha-256', 'hmac/sha-256'],
  ['with an embed secret, hmac/sha-1', 'hmac/sha-1'],
] as const)('a URL that is signed %s opens a frame, and the next frame needs no other', async (_by, algorithm) => {
  const thirdPartyCookies = true
  const ours = {
    thirdPartyCookies,
    embed: { algorithm, secret: { fromEnv: 'EMBED_SECRET' } },
    env: { EMBED_SECRET: SECRET },
    looker: { embedSecret: SECRET, ...(algorithm === undefined ? {} : { embedAlgorithm: algorithm }) },
  }
  const world = await stage.open(algorithm === undefined ? { thirdPartyCookies } : ours)
  const page = await openSigned(world)
  await page.evaluate(`show(sdk.createDashboardWithId('1'))`)
  await page.evaluate(`show(sdk.createDashboardWithId('2'))`)
  expect(await titlesOf(page)).toEqual(['Business pulse', 'Brand lookup'])
  expect(world.looker.calls.count(SIGN)).toBe(algorithm === undefined ? 1 : 0)
  expect(world.looker.users.find('corp|ana')).toMatchObject({ models: ['thelook'] })
})

test('a signed URL opens one frame and no more', async () => {
  const world = await stage.open()
  const page = await openSigned(world)
  const url = await page.evaluate<string>(
    `fetch('/sallyport/looker/embed/url?src=%2Fembed%2Fdashboards%2F1').then(it => it.json()).then(({ url }) => url)`,
  )
  await page.goto(url)
  await page.getByRole('heading', { level: 1, name: 'Business pulse' }).waitFor()
  await page.goto(url)
  expect(await page.locator('body').innerText()).toContain('Single sign on failure')
})

test('a browser that blocks third-party cookies has no session in a frame with a signed URL', async () => {
  const page = await openSigned(await stage.open())
  await page.evaluate(`void show(sdk.createDashboardWithId('1'))`)
  await page.locator('iframe').contentFrame().getByText('third-party cookies may be blocked').waitFor()
})

test('a model that is not granted is refused before Looker is asked', async () => {
  const world = await stage.open()
  const page = await openSigned(world)
  const refused = await page.evaluate(`show(sdk.createExploreWithId('finance::ledger')).catch(String)`)
  expect(refused).toBe('Forbidden')
  expect([SIGN, ACQUIRE].map(world.looker.calls.count)).toEqual([0, 0])
})
