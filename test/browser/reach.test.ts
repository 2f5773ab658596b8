import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { greets, NAMES, setStage, signIn, textOf } from './chromium.ts'

const stage = setStage()

const focused = (page: Page): Promise<string> =>
  page.evaluate<string>(
    '(({ labels, textContent, tagName }) => (labels?.[0]?.textContent ?? textContent ?? tagName).trim())(document.activeElement)',
  )

/** Presses Tab until the focus is on what has this name; the way there. */
async function tabTo(page: Page, name: string): Promise<string[]> {
  const way: string[] = []
  while (way.at(-1) !== name) {
    if (way.length > 25) throw new Error(`"${name}" is not on the way: ${way.join(', ')}`)
    await page.keyboard.press('Tab')
    way.push(await focused(page))
  }
  return way
}

test('the whole demo can be used with the keyboard alone', async () => {
  const page = await (await stage.profile()).newPage()
  await page.goto(stage.demo.sallyportUrl)
  expect(await tabTo(page, 'Sign in')).toEqual(['Skip to the content', 'Sign in'])
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Who is signing in?' }).waitFor()
  await page.keyboard.press('Tab')
  expect(await focused(page)).toContain(NAMES.ana)
  await page.keyboard.press('Enter')
  await greets(page, 'ana')
  await page.getByRole('table', { name: 'Sales by brand' }).waitFor()

  expect(await tabTo(page, 'A public file')).toEqual([
    'Skip to the content',
    'Desk',
    'Portal',
    'Sign out',
    'Ask again',
    'Give it back',
    'Measure',
    'By',
    'Ask Looker',
    'Saved in Looker',
    'Open',
    'Pause',
    'Your note',
    'Leave it',
    'The headers this app receives',
    'A stream of five seconds',
    'A public file',
  ])

  await page.reload()
  await page.getByRole('table', { name: 'Sales by brand' }).waitFor()
  await tabTo(page, 'Skip to the content')
  await page.keyboard.press('Enter')
  expect(await tabTo(page, 'Ask again')).toEqual(['Ask again'])
  await page.keyboard.press('Enter')
  await expect.poll(() => textOf(page, '#token-said')).toContain('The same token')
  await tabTo(page, 'Measure')
  await page.keyboard.press('ArrowDown')
  await tabTo(page, 'Ask Looker')
  await page.keyboard.press('Enter')
  await page.getByRole('table', { name: 'Number of orders by brand' }).waitFor()
  await tabTo(page, 'Your note')
  await page.keyboard.type('By keyboard')
  await tabTo(page, 'Leave it')
  await page.keyboard.press('Enter')
  await expect.poll(() => textOf(page, '#note-list')).toContain('By keyboard')
  await tabTo(page, 'Sign out')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Sign out?' }).waitFor()
})

test('wherever the focus is, it can be seen', async () => {
  const page = await (await stage.profile()).newPage()
  await signIn(page, stage.demo, 'ana')
  await page.getByRole('table', { name: 'Sales by brand' }).waitFor()
  for (let stop = 0; stop < 15; stop += 1) {
    await page.keyboard.press('Tab')
    const outline = await page.evaluate<string>('getComputedStyle(document.activeElement).outline')
    expect([await focused(page), outline]).toEqual([expect.any(String), expect.stringMatching(/ solid 3px$/)])
  }
})

test('a screen reader finds landmarks, headings, and a name for everything that can be used', async () => {
  const page = await (await stage.profile()).newPage()
  await page.goto(stage.demo.sallyportUrl)
  expect(await outline(page)).toEqual([
    'banner:',
    'main:',
    'region "Everybody reaches Looker as themselves":',
    'heading "Everybody reaches Looker as themselves" [level=1]',
    'region "Three people to be":',
    'heading "Three people to be" [level=2]',
    'heading "Ana Alvarez" [level=3]',
    'heading "Vic Okafor" [level=3]',
    'heading "Nora Lind" [level=3]',
    'region "What happens when you sign in":',
    'heading "What happens when you sign in" [level=2]',
    'heading "Who" [level=3]',
    'heading "What" [level=3]',
    'heading "Token" [level=3]',
    'heading "Answer" [level=3]',
    'contentinfo:',
    'navigation "More to look at":',
  ])
  await signIn(page, stage.demo, 'ana')
  await page.getByRole('table', { name: 'Sales by brand' }).waitFor()
  expect(await outline(page)).toEqual([
    'banner:',
    'navigation "Pages":',
    'main:',
    'heading "Hello, Ana Alvarez" [level=1]',
    'region "You":',
    'heading "You" [level=2]',
    'region "Your grant, and why":',
    'heading "Your grant, and why" [level=2]',
    'region "Your Looker token":',
    'heading "Your Looker token" [level=2]',
    'region "A query as you":',
    'heading "A query as you" [level=2]',
    'region "The last audit lines":',
    'heading "The last audit lines" [level=2]',
    'region "Leave a note":',
    'heading "Leave a note" [level=2]',
    'contentinfo:',
    'navigation "More to look at":',
  ])
  const tree = await page.locator('body').ariaSnapshot()
  expect(tree).toMatch(/timer "Time left": \d+ min \d\d s/)
  expect(tree).toMatch(/row "Birch [\d,.]+":\s+- rowheader "Birch"\s+- cell/)
  const used = tree.match(/- (?:button|link|textbox|combobox|table|timer|img)\b.*/g) ?? []
  expect(used.length).toBeGreaterThan(15)
  expect(used.filter(line => !/^- [a-z]+ "[^"]+"/.test(line))).toEqual([])
})

/** Landmarks and headings in their order. */
async function outline(page: Page): Promise<string[]> {
  const tree = await page.locator('body').ariaSnapshot()
  return Array.from(
    tree.matchAll(/^ *- ((?:banner|main|contentinfo|navigation|region|heading)\b.*)$/gm),
    ([, line = '']) => line,
  )
}
