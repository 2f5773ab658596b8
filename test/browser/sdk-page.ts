import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll } from 'vitest'
import { sessionOf, signIn } from '../support/sign-in.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import type { PersonId, Profiles } from './chromium.ts'

/** As a bundler makes a module of what the package publishes for pages. */
const EMBED_SDK = 'data:text/javascript,export const { getEmbedSDK } = LookerEmbedSDK'
const MODULES = new URL('../../node_modules/', import.meta.url)
const SCRIPTS: Readonly<Record<string, string>> = {
  // Not the package's index: it exports types that only a bundler forgives.
  '@looker/sdk': '/@looker/sdk/lib/esm/4.0/methods.js',
  '@looker/sdk-rtl': '/@looker/sdk-rtl/lib/esm/index.js',
}
/** A page that anybody may open. */
export const PAGE = '/public/hello.txt'
/** What the recipes in docs/ expect to find in it. */
const BODY = '<pre id="rows"></pre><button id="brands">Brands</button><div id="dashboard"></div>'

export interface Library {
  readonly url: string
  /** A page of the app at this origin, with Looker's own libraries as they were published. */
  openPage(context: BrowserContext, origin: string, script?: string): Promise<Page>
  /** Answers this in place of Sallyport, under `/sallyport/looker/token`. */
  answerTokens(token: unknown): void
}

/**
 * A server for Looker's libraries. Not by routes of Playwright: with those it answers preflights itself, and from a page that
 * came from no server Chromium calls nothing on loopback.
 */
export function setLibrary(): Library {
  let server: Upstream | undefined
  let token: unknown
  beforeAll(async () => {
    server = await startUpstream((request, response) => {
      response.setHeader('access-control-allow-origin', '*')
      const { pathname } = new URL(request.url ?? '/', 'http://library.invalid')
      if (pathname === '/sallyport/looker/token') return void response.end(JSON.stringify(token))
      // Bundlers fill in what the SDK's imports leave out.
      const path = fileURLToPath(new URL(`.${pathname.replace(/(?:\.js)?$/, '.js')}`, MODULES))
      response.writeHead(200, { 'content-type': 'text/javascript' }).end(readFileSync(path))
    })
  })
  afterAll(() => server?.close())
  const urlOf = (path: string): string => `${server?.url}${path}`
  return {
    get url() {
      return urlOf('')
    },
    async openPage(context, origin, script) {
      const page = await context.newPage()
      await page.goto(`${origin}${PAGE}`)
      const served = Object.fromEntries(Object.entries(SCRIPTS).map(([name, path]) => [name, urlOf(path)]))
      const imports = { ...served, '@looker/embed-sdk': EMBED_SDK }
      await page.addScriptTag({ type: 'importmap', content: JSON.stringify({ imports }) })
      await page.addScriptTag({ url: urlOf('/@looker/embed-sdk/dist/main.js') })
      await page.evaluate(`document.body.innerHTML = ${JSON.stringify(BODY)}`)
      if (script !== undefined) await page.addScriptTag({ type: 'module', content: script })
      return page
    },
    answerTokens(next) {
      token = next
    },
  }
}

/** A browser profile with somebody's session at a sidecar, without the walk through the pages of the issuer. */
export async function profileOf(profiles: Profiles, url: string, person: PersonId): Promise<BrowserContext> {
  const { browser } = await signIn({ url }, person)
  const context = await profiles.profile()
  const value = sessionOf(browser, { url }) ?? ''
  await context.addCookies([{ name: 'sallyport', value, url, httpOnly: true, sameSite: 'Lax' }])
  return context
}

/** Runs a function's body in the page, which has `connectLooker`, a `looker`, and an `sdk` made with it. */
export function inPage<Result>(page: Page, body: string): Promise<Result> {
  // As text: what the tests' own loader makes of an import is no good in a page.
  return page.evaluate<Result>(`(async () => {
    const [{ connectLooker }, { Looker40SDK }] = await Promise.all([import('/sallyport/client.js'), import('@looker/sdk')])
    const looker = (window.looker ??= connectLooker())
    const sdk = new Looker40SDK(looker.session())
    ${body}
  })()`)
}
