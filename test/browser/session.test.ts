import { expect, test } from 'vitest'
import { greets, NAMES, setStage, signIn, signOutAtIssuer, textOf } from './chromium.ts'

const stage = setStage()

test('after signing out the page asks to sign in, and the next person is another', async () => {
  const page = await (await stage.profile()).newPage()
  await signIn(page, stage.demo, 'ana')
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('heading', { name: 'Sign out?' }).waitFor()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.waitForURL(`${stage.demo.sallyportUrl}/sallyport/signed-out`)
  await page.goto(stage.demo.sallyportUrl)
  await page.getByRole('heading', { name: 'Everybody reaches Looker as themselves' }).waitFor()
  await signIn(page, stage.demo, 'vic')
})

test('five tabs opened at once all sign in, each where it was going', async () => {
  const context = await stage.profile()
  const tabs = await Promise.all(
    [1, 2, 3, 4, 5].map(async number => {
      const page = await context.newPage()
      await page.goto(`${stage.demo.sallyportUrl}/headers?tab=${number}`)
      return { number, page }
    }),
  )
  await Promise.all(
    tabs.map(async ({ number, page }) => {
      await page.getByRole('button', { name: NAMES.ana }).click()
      await page.waitForURL(`${stage.demo.sallyportUrl}/headers?tab=${number}`)
      expect(JSON.parse(await textOf(page, 'body'))).toMatchObject({ 'x-forwarded-user': 'ana' })
    }),
  )
})

test('back, right after signing in, leads to no dead end', async () => {
  const page = await (await stage.profile()).newPage()
  await signIn(page, stage.demo, 'ana')
  await page.goBack()
  await page.getByRole('heading', { name: 'This sign-in is over' }).waitFor()
  await page.goBack()
  await greets(page, 'ana')
  await page.goForward()
  await page.goForward()
  await greets(page, 'ana')
})

test('back, after signing out, shows nothing of the person', async () => {
  const page = await (await stage.profile()).newPage()
  await signIn(page, stage.demo, 'ana')
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('button', { name: 'Stay signed in' }).click()
  await page.waitForURL(`${stage.demo.sallyportUrl}/sallyport/signed-out`)
  await page.goBack()
  await page.goBack()
  await page.waitForURL(`${stage.demo.sallyportUrl}/`)
  await page.getByRole('link', { name: /^Sign in/ }).waitFor()
  expect(await page.content()).not.toContain('ana@example.com')
})

test('a sign-out at the issuer is seen by every other tab within 5 s', async () => {
  const context = await stage.profile()
  const [one, other] = [await context.newPage(), await context.newPage()]
  await signIn(one, stage.demo, 'ana')
  await other.goto(stage.demo.sallyportUrl)
  await greets(other, 'ana')
  const since = await signOutAtIssuer(context, stage.demo)
  for (const page of [one, other]) {
    await page.getByRole('alert').filter({ hasText: 'Your session has ended' }).waitFor({ timeout: 5000 })
    expect(await page.content()).not.toContain('ana@example.com')
  }
  expect(performance.now() - since).toBeLessThan(5000)
  expect(await one.getByRole('link', { name: 'Sign in again' }).isVisible()).toBe(true)
})

test('a session that ends while a form is being filled in loses nothing', async () => {
  const context = await stage.profile()
  const page = await context.newPage()
  await signIn(page, stage.demo, 'ana')
  await page.getByLabel('Your note').fill('Half a thought')
  await signOutAtIssuer(context, stage.demo)
  await page.getByRole('button', { name: 'Leave it' }).click()
  await expect.poll(() => textOf(page, '#note-said')).toBe('Not sent. Your note is still here.')
  expect(await textOf(page, '#over')).toContain('Your note is kept in this tab')
  expect(await page.getByLabel('Your note').inputValue()).toBe('Half a thought')

  await page.getByRole('link', { name: 'Sign in again' }).click()
  await page.getByRole('button', { name: NAMES.ana }).click()
  await greets(page, 'ana')
  expect(await page.getByLabel('Your note').inputValue()).toBe('Half a thought')
  await page.getByRole('button', { name: 'Leave it' }).click()
  await expect.poll(() => page.getByRole('list', { name: 'Notes so far' }).innerText()).toContain('Half a thought')
})

test('what one person had written is not shown to the next', async () => {
  const context = await stage.profile()
  const page = await context.newPage()
  await signIn(page, stage.demo, 'ana')
  await page.getByLabel('Your note').fill('For my eyes only')
  await signOutAtIssuer(context, stage.demo)
  await page.getByRole('link', { name: 'Sign in again' }).click()
  await page.getByRole('button', { name: NAMES.vic }).click()
  await greets(page, 'vic')
  expect(await page.getByLabel('Your note').inputValue()).toBe('')
  expect(await page.evaluate('JSON.stringify(sessionStorage)')).toBe('{}')
})

test('whoever signs out by the button leaves nothing of theirs in the browser', async () => {
  const context = await stage.profile()
  const page = await context.newPage()
  await signIn(page, stage.demo, 'ana')
  await page.getByLabel('Your note').fill('Never mind')
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('button', { name: 'Stay signed in' }).click()
  await page.waitForURL(`${stage.demo.sallyportUrl}/sallyport/signed-out`)
  expect(await page.evaluate('JSON.stringify([sessionStorage, localStorage])')).toBe('[{},{}]')
  expect((await context.cookies()).map(({ name }) => name)).not.toContain('sallyport')
})

test('a tab whose session ended recovers by itself when the person signs in in another', async () => {
  const context = await stage.profile()
  const [one, other] = [await context.newPage(), await context.newPage()]
  await signIn(one, stage.demo, 'ana')
  await one.getByLabel('Your note').fill('Still here')
  await signOutAtIssuer(context, stage.demo)
  await one.getByRole('link', { name: 'Sign in again' }).waitFor()
  await signIn(other, stage.demo, 'ana')
  await greets(one, 'ana')
  expect(await one.getByLabel('Your note').inputValue()).toBe('Still here')
})

test('a tab notices that somebody else has signed in in another', async () => {
  const context = await stage.profile()
  const [one, other] = [await context.newPage(), await context.newPage()]
  await signIn(one, stage.demo, 'ana')
  await other.goto(stage.demo.sallyportUrl)
  await other.getByRole('button', { name: 'Sign out' }).click()
  await other.getByRole('button', { name: 'Sign out' }).click()
  await other.waitForURL(`${stage.demo.sallyportUrl}/sallyport/signed-out`)
  await signIn(other, stage.demo, 'vic')
  await greets(one, 'vic')
})
