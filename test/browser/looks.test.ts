import { mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { NAMES, type PersonId, setStage, signIn } from './chromium.ts'

const stage = setStage()

/** Pictures to look at: a test cannot say whether a page is fit to be shown. */
const FOLDER = process.env['SCREENSHOTS'] ?? join(tmpdir(), 'sallyport-screenshots')
mkdirSync(FOLDER, { recursive: true })

async function settle(page: Page, person: PersonId): Promise<void> {
  await signIn(page, stage.demo, person)
  await page.locator(person === 'nora' ? '#ask-said.refused' : '#ask-answer table').waitFor()
  await page.locator('#audit-lines tr').first().waitFor()
}

for (const colorScheme of ['light', 'dark'] as const) {
  test(`in ${colorScheme} mode, wide and narrow, nothing runs out of the page`, async () => {
    for (const [size, width] of [
      ['wide', 1280],
      ['narrow', 360],
    ] as const) {
      const context = await stage.profile({ colorScheme, viewport: { width, height: 800 } })
      const page = await context.newPage()
      const shoot = async (name: string): Promise<void> => {
        await page.screenshot({ path: join(FOLDER, `${name}-${size}-${colorScheme}.png`), fullPage: true })
        expect([name, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([name, width])
      }
      await page.goto(stage.demo.sallyportUrl)
      const ground = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor')
      expect(ground).toBe(colorScheme === 'light' ? 'rgb(244, 245, 247)' : 'rgb(15, 19, 24)')
      await shoot('landing')
      await page.getByRole('link', { name: 'Sign in' }).click()
      await page.getByRole('heading', { name: 'Who is signing in?' }).waitFor()
      await shoot('issuer')
      for (const person of ['ana', 'vic', 'nora'] as const) {
        await context.clearCookies()
        await settle(page, person)
        if (person === 'vic') {
          await page.getByRole('button', { name: 'Ask Looker' }).click()
          await page.locator('#ask-said.refused').waitFor()
        }
        await shoot(person)
      }
    }
  })
}

for (const colorScheme of ['light', 'dark'] as const) {
  test(`in ${colorScheme} mode, wide and narrow, nothing runs out of the portal`, async () => {
    for (const [person, width] of [
      ['ana', 1280],
      ['vic', 1280],
      ['vic', 360],
    ] as const) {
      const viewport = { width, height: 800 }
      const context = await stage.profile({ colorScheme, viewport, ignoreHTTPSErrors: true })
      const page = await context.newPage()
      await page.goto(`${stage.demo.sallyportUrl}/portal?dashboard=2`)
      await page.getByRole('button', { name: NAMES[person] }).click()
      await page.frameLocator('iframe').getByText('Birch').first().waitFor()
      await page.locator('#rows-answer table').waitFor()
      await page.screenshot({
        path: join(FOLDER, `portal-${person}-${width}-${colorScheme}.png`),
        fullPage: width < 1280,
      })
      expect([person, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([person, width])
    }
  })
}
