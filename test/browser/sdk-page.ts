import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll } from 'vitest'
import { createBrowser } from '../../demo/issuer/browser.ts'
import { choosePerson } from '../../demo/issuer/sign-in.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import type { PersonId, Stage } from './chromium.ts'

const MODULES = new URL('../../node_modules/', import.meta.url)
const SCRIPTS: Readonly<Record<string, string>> = {
  // Not the package's index: it exports types that only a bundler forgives.
  '@looker/sdk': '/@looker/sdk/lib/esm/4.0/methods.js',
  '@looker/sdk-rtl': '/@looker/sdk-rtl/lib/esm/index.js',
}
/** A page that anybody may open. */
export const PAGE = '/public/hello.txt'

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
      const imports = Object.fromEntries(Object.entries(SCRIPTS).map(([name, path]) => [name, urlOf(path)]))
      await page.addScriptTag({ type: 'importmap', content: JSON.stringify({ imports }) })
      await page.addScriptTag({ url: urlOf('/@looker/embed-sdk/dist/main.js') })
      await page.evaluate(`document.body.append(Object.assign(document.createElement('pre'), { id: 'rows' }))`)
      if (script !== undefined) await page.addScriptTag({ type: 'module', content: script })
      return page
    },
    answerTokens(next) {
      token = next
    },
  }
}

/** A browser profile with somebody's session, without the walk through the pages of the issuer. */
export async function profileOf(stage: Stage, person: PersonId): Promise<BrowserContext> {
  const { sallyportUrl } = stage.demo
  const walker = createBrowser()
  await choosePerson(walker, await walker.open(`${sallyportUrl}/sallyport/login?return_to=${PAGE}`), person)
  const [, value = ''] = /(?:^|; )sallyport=([^;]+)/.exec(walker.cookieHeader(sallyportUrl)) ?? []
  const context = await stage.profile()
  await context.addCookies([{ name: 'sallyport', value, url: sallyportUrl, httpOnly: true, sameSite: 'Lax' }])
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
