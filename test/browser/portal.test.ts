import type { FrameLocator, Locator, Page } from 'playwright-core'
import { expect, onTestFinished, test } from 'vitest'
import { greets, NAMES, type PersonId, setStage, signOutAtIssuer, textOf } from './chromium.ts'

const stage = setStage()

const frameOf = (page: Page, title: string): FrameLocator => page.frameLocator(`iframe[aria-label^="${title}"]`)
/** What the table beside the dashboard shows, a line a row. */
const rowsOf = (page: Page): Promise<string[]> => page.locator('#rows-answer tbody tr').allInnerTexts()
const searchOf = (page: Page): string => decodeURIComponent(new URL(page.url()).search)
const callsOf = (page: Page): Promise<string[]> => page.locator('#calls code').allInnerTexts()

/** The portal as somebody opens it who is not signed in yet; whatever its page reports as an error fails the test. */
async function openPortal(person: PersonId, search = '', { turns = false } = {}): Promise<Page> {
  // A person tells their browser once to accept the emulated Looker's certificate.
  const context = await stage.profile({ ignoreHTTPSErrors: true })
  if (turns) await context.clock.install()
  const page = await context.newPage()
  const errors: string[] = []
  page.on('console', message => {
    // Chromium reports each 401, and how a page hears of a sign-out elsewhere is one.
    if (message.type() === 'error' && !message.text().includes('401')) errors.push(message.text())
  })
  onTestFinished(() => expect(errors).toEqual([]))
  await page.goto(`${stage.demo.sallyportUrl}/portal${search}`)
  await page.getByRole('button', { name: NAMES[person] }).click()
  await page.getByRole('heading', { level: 1, name: 'Sales portal' }).waitFor()
  return page
}

async function opened(page: Page, title: string): Promise<FrameLocator> {
  await page.getByRole('tabpanel', { name: title }).and(page.locator('[data-state=open]')).waitFor()
  const frame = frameOf(page, title)
  await frame.getByRole('heading', { name: title }).waitFor()
  return frame
}

test('an analyst and a viewer open the same dashboard and table, and see different data', async () => {
  const seen: string[][] = []
  for (const [person, region] of [
    ['ana', 'EMEA'],
    ['vic', 'AMER'],
  ] as const) {
    const page = await openPortal(person, '?dashboard=2')
    const frame = await opened(page, 'Brand lookup')
    await frame.getByText('Birch').first().waitFor()
    await expect.poll(() => rowsOf(page)).toHaveLength(3)
    expect(await page.locator('.lead').innerText()).toContain(`region ${region} and nothing else`)
    seen.push([await frame.locator('#tiles').innerText(), (await rowsOf(page)).join('\n')])
  }
  const [ana = [], vic = []] = seen
  expect(ana[0]).not.toBe(vic[0])
  expect(ana[1]).not.toBe(vic[1])
})

test('the landing page and the desk lead to the portal', async () => {
  const page = await (await stage.profile({ ignoreHTTPSErrors: true })).newPage()
  await page.goto(stage.demo.sallyportUrl)
  await page.getByRole('link', { name: 'Open the portal' }).click()
  await page.getByRole('button', { name: NAMES.vic }).click()
  await opened(page, 'Business pulse')
  await page.getByRole('link', { name: 'Desk' }).click()
  await greets(page, 'vic')
  await page.getByRole('link', { name: 'Portal' }).click()
  await opened(page, 'Business pulse')
})

test('the rows come from Looker straight to the page, with the person’s own token', async () => {
  const page = await openPortal('ana', '?dashboard=2')
  await expect.poll(() => rowsOf(page)).toHaveLength(3)
  const { url, calls, users } = stage.demo.looker
  expect(await textOf(page, '#rows-said')).toContain(`3 rows from ${new URL(url).host}`)
  expect(calls.list.findLast(({ operationId }) => operationId === 'run_query')).toMatchObject({
    status: 200,
    userId: users.find('demo|ana')?.id,
  })
})

test('filters hold across tabs, in the address, through a reload, and back and forward', async () => {
  const page = await openPortal('ana')
  await opened(page, 'Business pulse')
  await page.getByLabel('Category', { exact: true }).selectOption('Shoes')
  expect(searchOf(page)).toBe('?dashboard=1&Category=Shoes')

  await page.getByRole('tab', { name: 'Brand lookup' }).click()
  const brands = await opened(page, 'Brand lookup')
  expect(searchOf(page)).toBe('?dashboard=2&Category=Shoes')
  await expect.poll(() => brands.getByLabel('Category').inputValue()).toBe('Shoes')
  await expect.poll(() => rowsOf(page)).toEqual([expect.stringMatching(/^Shoes/)])

  await page.reload()
  const again = await opened(page, 'Brand lookup')
  await expect.poll(() => again.getByLabel('Category').inputValue()).toBe('Shoes')
  expect(await page.getByLabel('Category', { exact: true }).inputValue()).toBe('Shoes')
  expect(await page.getByRole('tab', { selected: true }).innerText()).toBe('Brand lookup')

  await page.goBack()
  const pulse = await opened(page, 'Business pulse')
  await expect.poll(() => pulse.getByLabel('Category').inputValue()).toBe('Shoes')
  await page.goBack()
  expect(searchOf(page)).toBe('')
  await expect.poll(() => pulse.getByLabel('Category').inputValue()).toBe('')
  await page.goForward()
  await page.goForward()
  await opened(page, 'Brand lookup')
  expect(await page.getByLabel('Category', { exact: true }).inputValue()).toBe('Shoes')
})

test('a filter that is set within a dashboard holds everywhere else too', async () => {
  const page = await openPortal('ana', '?dashboard=2')
  const brands = await opened(page, 'Brand lookup')
  await brands.getByLabel('Category').selectOption('Coats')
  await expect.poll(() => searchOf(page)).toBe('?dashboard=2&Category=Coats')
  await expect.poll(() => rowsOf(page)).toEqual([expect.stringMatching(/^Coats/)])
  await page.getByRole('tab', { name: 'Business pulse' }).click()
  const pulse = await opened(page, 'Business pulse')
  await expect.poll(() => pulse.getByLabel('Category').inputValue()).toBe('Coats')
})

test('a viewer may not ask with filters of their own, and is told so', async () => {
  const page = await openPortal('vic', '?dashboard=2&Category=Shoes')
  await expect.poll(() => textOf(page, '#rows-said')).toContain('needs the permission “explore”')
  expect(await rowsOf(page)).toHaveLength(3)
  expect(await callsOf(page)).not.toContainEqual(expect.stringContaining('/queries/run/'))
})

test('however fast somebody clicks, what they chose last is what is shown', async () => {
  const page = await openPortal('ana')
  await page.locator('[role=tabpanel][data-state]').waitFor()
  await page.evaluate(`{
    const tabs = document.querySelectorAll('[role=tab]')
    const filter = document.getElementById('filter-category')
    const choose = value => {
      filter.value = value
      filter.dispatchEvent(new Event('change', { bubbles: true }))
    }
    tabs[1].click()
    for (const value of ['Coats', 'Shirts', '', 'Coats']) {
      choose(value)
      tabs[value === '' ? 0 : 1].click()
    }
    choose('Shoes')
  }`)
  const brands = await opened(page, 'Brand lookup')
  await expect.poll(() => brands.getByLabel('Category').inputValue()).toBe('Shoes')
  await expect.poll(() => rowsOf(page)).toEqual([expect.stringMatching(/^Shoes/)])
  expect(searchOf(page)).toBe('?dashboard=2&Category=Shoes')
})

test('what is no dashboard and no filter of ours gets nowhere', async () => {
  const page = await openPortal('ana', '?dashboard=9&embed_domain=https://evil.example&theme=x')
  await opened(page, 'Business pulse')
  const sources = await page.evaluate<string[]>('[...document.querySelectorAll("iframe")].map(({ src }) => src)')
  expect(sources).toHaveLength(1)
  expect(decodeURIComponent(sources[0] ?? '')).not.toMatch(/evil|theme/)
})

test('the inspector counts each token’s life down and lists the calls, the newest first', async () => {
  const page = await openPortal('ana')
  await opened(page, 'Business pulse')
  const timer = (name: RegExp): Locator => page.getByRole('timer', { name })
  await expect.poll(() => timer(/^Looker API/).innerText()).toMatch(/^59 min \d\d s$/)
  await expect.poll(() => timer(/^Embed session/).innerText()).toMatch(/^(59|60) min \d\d s$/)
  for (const name of [/^Navigation/, /^Frame’s API/]) {
    await expect.poll(() => timer(name).innerText()).toMatch(/^(9|10) min \d\d s$/)
  }
  await expect.poll(() => timer(/^Authentication/).innerText()).toMatch(/^\d\d? s$/)
  const before = await timer(/^Navigation/).innerText()
  await expect.poll(() => timer(/^Navigation/).innerText()).not.toBe(before)

  const first = await callsOf(page)
  for (const call of [
    'POST /sallyport/looker/token',
    'POST /sallyport/looker/embed/session',
    'GET /api/4.0/dashboards/1',
  ])
    expect(first).toContain(call)
  await page.getByRole('tab', { name: 'Brand lookup' }).click()
  await opened(page, 'Brand lookup')
  await expect.poll(() => callsOf(page)).toContain('GET /api/4.0/dashboards/2')
  const next = await callsOf(page)
  expect(next.slice(-first.length)).toEqual(first)
  // The second frame joined the session of the first.
  expect(next.filter(call => call.endsWith('/embed/session'))).toHaveLength(1)
  const unended = async (): Promise<string[]> =>
    (await page.locator('#calls tr').allInnerTexts()).filter(row => !/\s200\s+\d+ ms$/.test(row))
  await expect.poll(unended).toEqual([])
})

test('when the frames’ tokens are renewed, the inspector has the call and counts from the new life', async () => {
  const page = await openPortal('ana', '', { turns: true })
  const frame = await opened(page, 'Business pulse')
  // Its tiles come with the tokens, from when on it counts their time.
  await expect.poll(() => frame.locator('#tiles').innerText()).toMatch(/\d/)
  const navigation = page.getByRole('timer', { name: /^Navigation/ })
  await expect.poll(() => navigation.innerText()).toMatch(/^(9|10) min/)
  await page.clock.fastForward('09:00')
  await expect.poll(() => callsOf(page)).toContain('PUT /sallyport/looker/embed/tokens')
  await expect.poll(() => navigation.innerText()).toMatch(/^(9|10) min/)
  expect(await page.getByRole('timer', { name: /^Embed session/ }).innerText()).toMatch(/^(59|60) min/)
  expect(await page.getByRole('timer', { name: /^Authentication/ }).innerText()).toBe('used')
})

test('tabs go by the keyboard: arrows, Home and End move, Enter opens, Tab leads into the dashboard', async () => {
  const page = await openPortal('ana')
  await opened(page, 'Business pulse')
  const focused = (): Promise<string> => page.evaluate('document.activeElement.textContent.trim()')
  await page.getByRole('tab', { name: 'Business pulse' }).focus()
  await page.keyboard.press('ArrowRight')
  expect(await focused()).toBe('Brand lookup')
  expect(await page.getByRole('tab', { selected: true }).innerText()).toBe('Business pulse')
  await page.keyboard.press('ArrowRight')
  expect(await focused()).toBe('Business pulse')
  await page.keyboard.press('End')
  await page.keyboard.press('Enter')
  await opened(page, 'Brand lookup')
  expect(searchOf(page)).toBe('?dashboard=2')
  await page.keyboard.press('Home')
  expect(await focused()).toBe('Business pulse')
  await page.keyboard.press('ArrowLeft')
  await page.keyboard.press('Tab')
  expect(await page.evaluate('document.activeElement.tagName')).toBe('IFRAME')
})

test('a browser that does not trust the emulated Looker yet is told what to do; the rows are there all the same', async () => {
  const context = await stage.profile()
  const page = await context.newPage()
  await page.goto(`${stage.demo.sallyportUrl}/portal`)
  await page.getByRole('button', { name: NAMES.ana }).click()
  const notice = page.getByRole('alert').filter({ hasText: 'does not know the certificate' })
  await notice.waitFor()
  expect(await notice.getByRole('link').getAttribute('href')).toBe(stage.demo.looker.secureUrl)
  await expect.poll(async () => (await rowsOf(page)).length).toBeGreaterThan(5)
  await notice.getByRole('button', { name: 'Try again' }).click()
  await notice.waitFor()
  // As after the person has accepted it.
  await (await context.newCDPSession(page)).send('Security.setIgnoreCertificateErrors', { ignore: true })
  await notice.getByRole('button', { name: 'Try again' }).click()
  await opened(page, 'Business pulse')
  expect(await notice.isVisible()).toBe(false)
})

test('who has no grant reads why, and the id to ask an administrator with', async () => {
  const context = await stage.profile({ ignoreHTTPSErrors: true })
  const page = await context.newPage()
  await page.goto(`${stage.demo.sallyportUrl}/portal`)
  await page.getByRole('button', { name: NAMES.nora }).click()
  const refusal = /^No grant gives this person access to Looker.* Request \S+\.$/
  await expect.poll(() => textOf(page, '#rows-said')).toMatch(refusal)
  await expect.poll(() => textOf(page, '#panel-1 .state p')).toMatch(refusal)
  expect(await page.locator('iframe').count()).toBe(0)
})

test('a Looker that fails is said so in words, and the dashboard can be opened again', async () => {
  const { faults } = stage.demo.looker
  const context = await stage.profile({ ignoreHTTPSErrors: true })
  const page = await context.newPage()
  faults.inject({ operation: 'acquire_embed_cookieless_session', kind: 'server-error', times: Infinity })
  onTestFinished(faults.clear)
  await page.goto(`${stage.demo.sallyportUrl}/portal`)
  await page.getByRole('button', { name: NAMES.vic }).click()
  await expect.poll(() => textOf(page, '#panel-1 .state p'), { timeout: 20_000 }).toMatch(/Looker.* Request \S+\.$/)
  faults.clear()
  await page.getByRole('button', { name: 'Try again' }).click()
  await opened(page, 'Business pulse')
  await expect.poll(async () => (await rowsOf(page)).length).toBeGreaterThan(5)
})

test('an embed session that Looker ends is begun again by itself, with the filters as they were', async () => {
  const page = await openPortal('vic', '?dashboard=2&Category=Coats')
  await opened(page, 'Brand lookup')
  await page.evaluate(`fetch('/sallyport/looker/embed/session', { method: 'DELETE' })`)
  const begun = async (): Promise<number> =>
    (await callsOf(page)).filter(call => call === 'POST /sallyport/looker/embed/session').length
  await expect.poll(begun, { timeout: 20_000 }).toBe(2)
  const frame = await opened(page, 'Brand lookup')
  await expect.poll(() => frame.getByLabel('Category').inputValue()).toBe('Coats')
})

test('a screen reader finds landmarks, headings, tabs, and a name for everything that can be used', async () => {
  const page = await openPortal('ana')
  await opened(page, 'Business pulse')
  const tree = await page.locator('body').ariaSnapshot()
  const outline = Array.from(
    tree.matchAll(/^ *- ((?:banner|main|contentinfo|navigation|region|form|heading|tablist|tab|tabpanel)\b[^:\n]*)/gm),
    ([, line = '']) => line,
  )
  expect(outline.filter(line => !line.startsWith('heading'))).toEqual([
    'banner',
    'navigation "Pages"',
    'main',
    'form "Filters of all dashboards"',
    'region "Dashboards"',
    'tablist "Dashboards"',
    'tab "Business pulse" [selected]',
    'tab "Brand lookup"',
    'tabpanel "Business pulse"',
    'region "The rows behind it"',
    'region "Rows"',
    'region "Inspector"',
    'region "Calls of this page, newest first"',
    'contentinfo',
    'navigation "More to look at"',
  ])
  const used = tree.match(/- (?:button|link|textbox|combobox|table|timer|iframe)\b.*/g) ?? []
  expect(used.length).toBeGreaterThan(15)
  expect(used.filter(line => !/^- [a-z]+ "[^"]+"/.test(line))).toEqual(['- iframe'])
  expect(await page.locator('iframe').getAttribute('aria-label')).toBe('Business pulse, a dashboard in Looker')
})

test('a sign-out elsewhere takes everything off the page within 5 s, and signing in leads back to it', async () => {
  const page = await openPortal('ana', '?dashboard=2&Category=Shoes')
  await opened(page, 'Brand lookup')
  const since = await signOutAtIssuer(page.context(), stage.demo)
  await page.getByRole('alert').filter({ hasText: 'Your session has ended' }).waitFor({ timeout: 5000 })
  expect(performance.now() - since).toBeLessThan(5000)
  expect(await page.locator('iframe, table').count()).toBe(0)
  await page.getByRole('link', { name: 'Sign in again' }).click()
  await page.getByRole('button', { name: NAMES.ana }).click()
  await opened(page, 'Brand lookup')
  expect(searchOf(page)).toBe('?dashboard=2&Category=Shoes')
})
