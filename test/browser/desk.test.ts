import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { setStage, signIn, textOf } from './chromium.ts'

const stage = setStage()

/** What the table shows, a line a row. */
const rowsOf = (page: Page): Promise<string[]> => page.locator('#ask-answer tbody tr').allInnerTexts()

test('before signing in the page says who there is to be, and what each may do', async () => {
  const page = await (await stage.profile()).newPage()
  await page.goto(stage.demo.sallyportUrl)
  const people = await page.getByRole('region', { name: 'Three people to be' }).getByRole('listitem').allInnerTexts()
  expect(people.map(text => text.replaceAll(/\s+/g, ' '))).toEqual([
    expect.stringMatching(/^Ana Alvarez .* Grant explorer .* questions of their own; sees region EMEA/),
    expect.stringMatching(/^Vic Okafor .* Grant viewer .* saved reports; sees region AMER/),
    expect.stringMatching(/^Nora Lind In no group No grant .* nothing from Looker/),
  ])
})

test('Ana, an analyst, sees who she is, her grant, her token, and asks Looker what she likes', async () => {
  const page = await (await stage.profile()).newPage()
  await signIn(page, stage.demo, 'ana')
  const you = await page.getByRole('region', { name: 'You', exact: true }).innerText()
  for (const said of ['ana@example.com', 'analytics', 'demo']) expect(you).toContain(said)
  const grant = await page.getByRole('region', { name: 'Your grant, and why' }).innerText()
  for (const said of ['explorer matches', 'explore', 'thelook', 'region = EMEA', 'demo|ana'])
    expect(grant).toContain(said)

  await expect.poll(() => textOf(page, '#token-left')).toMatch(/^59 min \d\d s$/)
  expect(await textOf(page, '#token-base')).toBe(stage.demo.looker.url)

  await page.getByLabel('Measure').selectOption('Number of orders')
  await page.getByLabel('By', { exact: true }).selectOption('region')
  await page.getByRole('button', { name: 'Ask Looker' }).click()
  await page.getByRole('table', { name: 'Number of orders by region' }).waitFor()
  expect(await rowsOf(page)).toEqual([expect.stringMatching(/^EMEA\s+96$/)])
})

test('Vic, a viewer, sees other data, and is told in plain words what he may not ask', async () => {
  const [ana, vic] = [await (await stage.profile()).newPage(), await (await stage.profile()).newPage()]
  await signIn(ana, stage.demo, 'ana')
  await signIn(vic, stage.demo, 'vic')
  for (const page of [ana, vic]) await page.getByRole('table', { name: 'Sales by brand' }).waitFor()
  expect(await rowsOf(vic)).toHaveLength(5)
  expect(await rowsOf(vic)).not.toEqual(await rowsOf(ana))

  const why = await vic.getByRole('list', { name: 'Grants in their order' }).getByRole('listitem').allInnerTexts()
  expect(why).toEqual([
    'explorer needs one of the groups "analytics"; the person is in "viewers"',
    expect.stringMatching(/^viewer matches/),
  ])
  await vic.getByRole('button', { name: 'Ask Looker' }).click()
  await expect.poll(() => textOf(vic, '#ask-said')).toMatch(/^Looker refuses: .*“explore”/)
})

test('Nora, without a grant, is let into the app, and Looker is never asked', async () => {
  const page = await (await stage.profile()).newPage()
  await signIn(page, stage.demo, 'nora')
  expect(await page.getByRole('region', { name: 'You have no grant' }).innerText()).toContain('the person is in none')
  await expect.poll(() => textOf(page, '#token-said')).toMatch(/^No grant gives this person access to Looker/)
  await expect.poll(() => textOf(page, '#ask-said')).toMatch(/nothing was sent to Looker/)
  expect(await page.getByRole('button', { name: 'Ask Looker' }).isVisible()).toBe(false)
  expect(stage.demo.looker.users.find('demo|nora')).toBeUndefined()
})

test('the token counts down, comes from the cache, can be given back, and is nowhere on the page', async () => {
  const page = await (await stage.profile()).newPage()
  const tokens: string[] = []
  page.on('response', async response => {
    if (response.request().method() === 'POST' && response.url().endsWith('/sallyport/looker/token')) {
      tokens.push(((await response.json()) as { access_token: string }).access_token)
    }
  })
  await signIn(page, stage.demo, 'ana')
  await expect.poll(() => textOf(page, '#token-left')).toMatch(/ s$/)
  const [before, fingerprint] = [await textOf(page, '#token-left'), await textOf(page, '#token-print')]
  await expect.poll(() => textOf(page, '#token-left')).not.toBe(before)

  await page.getByRole('button', { name: 'Ask again' }).click()
  await expect.poll(() => textOf(page, '#token-said')).toContain(`The same token, ${fingerprint}`)
  await page.getByRole('button', { name: 'Give it back' }).click()
  await expect.poll(() => textOf(page, '#token-said')).toMatch(/^Given back/)
  expect(await page.locator('#token-there').isVisible()).toBe(false)
  await page.getByRole('button', { name: 'Ask again' }).click()
  await expect.poll(() => textOf(page, '#token-said')).toMatch(/^A new token/)
  expect(await textOf(page, '#token-print')).not.toBe(fingerprint)

  const kept = await page.evaluate<string>(
    'document.documentElement.outerHTML + JSON.stringify(localStorage) + JSON.stringify(sessionStorage)',
  )
  expect(tokens.length).toBeGreaterThan(2)
  for (const token of tokens) expect(kept).not.toContain(token)
})

test('a screen reader hears of the token’s last minutes, and not of every second', async () => {
  const page = await (await stage.profile()).newPage()
  await page.clock.install()
  await signIn(page, stage.demo, 'ana')
  await expect.poll(() => textOf(page, '#token-left')).toMatch(/^59 min/)
  await page.clock.fastForward('45:00')
  await expect.poll(() => textOf(page, '#token-left')).toMatch(/^14 min/)
  expect(await textOf(page, '#token-soon')).toBe('')
  expect(await page.locator('#token-left').getAttribute('aria-live')).toBeNull()
  await page.clock.fastForward('06:00')
  await expect.poll(() => textOf(page, '#token-soon')).toMatch(/^8 min \d\d s left$/)
  await page.clock.fastForward('09:00')
  await expect.poll(() => textOf(page, '#token-said')).toMatch(/^It ran out/)
  expect(await textOf(page, '#token-left')).toMatch(/^59 min/)
})

test('a token that Looker has forgotten is replaced while a question is asked, without a word', async () => {
  const page = await (await stage.profile()).newPage()
  await signIn(page, stage.demo, 'ana')
  await page.getByRole('table', { name: 'Sales by brand' }).waitFor()
  const fingerprint = await textOf(page, '#token-print')
  stage.demo.looker.revokeTokens(stage.demo.looker.users.find('demo|ana')?.id)
  await page.getByRole('button', { name: 'Ask Looker' }).click()
  await page.getByRole('table', { name: 'Total sales by brand' }).waitFor()
  expect(await textOf(page, '#token-print')).not.toBe(fingerprint)
})

test('the audit lines come by themselves, rest while paused, and hold no secret', async () => {
  const context = await stage.profile()
  const page = await context.newPage()
  await signIn(page, stage.demo, 'vic')
  const lines = page.locator('#audit-lines')
  await expect
    .poll(() => lines.innerText())
    .toMatch(/Vic Okafor\s+Asks for a Looker token POST .*\s+let in grant viewer/)
  await expect.poll(() => lines.innerText(), { timeout: 5000 }).toMatch(/Signs in GET/)
  const pause = page.getByRole('button', { name: 'Pause' })
  await pause.click()
  expect(await pause.getAttribute('aria-pressed')).toBe('true')
  await page.request.get(`${stage.demo.sallyportUrl}/headers`)
  await page.waitForResponse('**/now')
  await page.waitForResponse('**/now')
  expect(await lines.innerText()).not.toContain('/headers')
  await pause.click()
  await expect.poll(() => lines.innerText(), { timeout: 5000 }).toContain('GET /headers')
  const cookie = (await context.cookies()).find(({ name }) => name === 'sallyport')
  expect(cookie?.httpOnly).toBe(true)
  expect(await page.content()).not.toContain(cookie?.value)
})

test('a note is signed with the name that Sallyport says', async () => {
  const page = await (await stage.profile()).newPage()
  await signIn(page, stage.demo, 'nora')
  await page.getByLabel('Your note').fill('<b>Hello</b>')
  await page.getByRole('button', { name: 'Leave it' }).click()
  await expect
    .poll(() => page.getByRole('list', { name: 'Notes so far' }).innerText())
    .toContain('nora@example.com <b>Hello</b>')
  await page.reload()
  expect(await page.getByRole('list', { name: 'Notes so far' }).innerText()).toContain('nora@example.com <b>Hello</b>')
  expect(await page.getByLabel('Your note').inputValue()).toBe('')
})
