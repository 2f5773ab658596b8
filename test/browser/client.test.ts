import type { BrowserContext, Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { documentedCode } from '../support/documented.ts'
import { NAMES, type PersonId, setStage, signIn, signOutAtIssuer } from './chromium.ts'
import { inPage, PAGE, profileOf, setLibrary } from './sdk-page.ts'

const stage = setStage()
const library = setLibrary()

const QUERY = `{
  result_format: 'json',
  body: { model: 'thelook', view: 'orders', fields: ['orders.region', 'orders.count'] },
}`
const ANSWER = [{ 'orders.region': 'EMEA', 'orders.count': 96 }]

/** A page of the app that somebody who is signed in has open. */
async function openAs(person: PersonId, script?: string): Promise<{ context: BrowserContext; page: Page }> {
  const context = await profileOf(stage, stage.demo.sallyportUrl, person)
  return { context, page: await library.openPage(context, stage.demo.sallyportUrl, script) }
}

/** The page's requests for a token from now on. */
function tokenRequests(page: Page): string[] {
  const seen: string[] = []
  page.on('request', request => {
    if (request.url().endsWith('/sallyport/looker/token')) seen.push(request.method())
  })
  return seen
}

const lookerIdOf = (person: PersonId): string | undefined => stage.demo.looker.users.find(`demo|${person}`)?.id

test('Looker40SDK in the page asks Looker itself, as the person, over CORS', async () => {
  const { page } = await openAs('ana')
  stage.demo.looker.calls.reset()
  expect(await inPage(page, `return sdk.ok(sdk.run_inline_query(${QUERY}))`)).toEqual(ANSWER)
  const [preflight, call] = stage.demo.looker.calls.list.slice(-2)
  expect(preflight).toMatchObject({ operationId: 'preflight', status: 204 })
  expect(call).toMatchObject({ operationId: 'run_inline_query', status: 200, userId: lookerIdOf('ana') })
  expect(call?.headers).toContain('x-looker-appid')
  expect(call?.headers).not.toContain('cookie')
})

test('30 calls at once make one token request', async () => {
  const { page } = await openAs('vic')
  const requests = tokenRequests(page)
  const ids = await inPage<string[]>(
    page,
    `return Promise.all(Array.from({ length: 30 }, async () => (await sdk.ok(sdk.me('id'))).id))`,
  )
  expect(ids).toEqual(Array.from({ length: 30 }, () => lookerIdOf('vic')))
  expect(requests).toEqual(['POST'])
})

test('a token that Looker drops in the middle is replaced once, and nobody notices', async () => {
  const { page } = await openAs('ana')
  await inPage(page, `return sdk.ok(sdk.me())`)
  const requests = tokenRequests(page)
  const before = stage.demo.looker.calls.count('login_user')
  stage.demo.looker.revokeTokens(lookerIdOf('ana'))
  const answers = await inPage(
    page,
    `return Promise.all(Array.from({ length: 5 }, () => sdk.ok(sdk.run_inline_query(${QUERY}))))`,
  )
  expect(answers).toEqual(Array.from({ length: 5 }, () => ANSWER))
  expect(requests).toEqual(['POST', 'DELETE', 'POST'])
  expect(stage.demo.looker.calls.count('login_user') - before).toBe(1)
})

test('a page of another origin is refused by the browser, though it has the token', async () => {
  const { context, page } = await openAs('ana')
  library.answerTokens(await inPage(page, 'return looker.getToken()'))
  const other = await library.openPage(context, stage.demo.sallyportUrl.replace('127.0.0.1', 'localhost'))
  stage.demo.looker.calls.reset()
  const answer = await inPage(
    other,
    `window.looker = connectLooker({ prefix: '${library.url}/sallyport' })
    const { ok, error } = await new sdk.constructor(window.looker.session()).me()
    return { ok, said: error.message, hasToken: (await window.looker.getToken()).grant }`,
  )
  expect(answer).toEqual({ ok: false, said: 'Failed to fetch', hasToken: 'explorer' })
  expect(stage.demo.looker.calls.list).toEqual([
    expect.objectContaining({ operationId: 'preflight', status: 404, path: '/api/4.0/user' }),
  ])
})

test('once the session is over the page is told, goes to the sign-in, and comes back to where it was', async () => {
  const context = await stage.profile()
  await signIn(await context.newPage(), stage.demo, 'ana')
  const page = await library.openPage(context, stage.demo.sallyportUrl)
  await inPage(page, `looker.addEventListener('signInNeeded', looker.signIn); return looker.getToken()`)
  await signOutAtIssuer(context, stage.demo)
  const status = (): Promise<number> => page.evaluate('fetch("/sallyport/session").then(({ status }) => status)')
  await expect.poll(status, { timeout: 10_000 }).toBe(401)
  await inPage(page, 'void sdk.me()')
  await page.getByRole('button', { name: NAMES.ana }).click()
  await page.waitForURL(`${stage.demo.sallyportUrl}${PAGE}`)
})

test('the token is nowhere but in memory', async () => {
  const { context, page } = await openAs('ana')
  const { access_token: token } = await inPage<{ access_token: string }>(page, 'return looker.getToken()')
  expect(token).toMatch(/\S{16,}/)
  const kept = await page.evaluate<string>('JSON.stringify([localStorage, sessionStorage, document.cookie])')
  expect(kept + JSON.stringify(await context.storageState({ indexedDB: true }))).not.toContain(token)
})

test('the recipe for calls from the page', async () => {
  const [recipe = ''] = documentedCode('frontend.md', 'js', "Call Looker's API from the page")
  expect(recipe.split('\n').length).toBeLessThan(25)
  const { page } = await openAs('ana', recipe)
  await expect.poll(() => page.locator('#rows').textContent()).toBe('EMEA: 96\n')
})
