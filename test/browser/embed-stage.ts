import type { BrowserContext, Page, Request } from 'playwright-core'
import { expect, onTestFinished, vi } from 'vitest'
import type { DemoIssuerOptions } from '../../demo/issuer/issuer.ts'
import { createTurnableClock } from '../../demo/looker/clock.ts'
import type { EmulatedLookerOptions } from '../../demo/looker/emulated-looker.ts'
import { loginAsAdmin } from '../demo/looker/api-client.ts'
import { type Sidecar, startWorld, type World, type Written } from '../support/world.ts'
import { type PersonId, profileWithThirdPartyCookies, setBrowser } from './chromium.ts'
import { profileOf, setLibrary } from './sdk-page.ts'

export const ACQUIRE = 'acquire_embed_cookieless_session'
export const GENERATE = 'generate_tokens_for_cookieless_session'

interface EmbedOptions {
  /** Of `looker.embed`. */
  readonly embed?: Written
  readonly issuer?: DemoIssuerOptions
  readonly looker?: EmulatedLookerOptions
  readonly env?: Record<string, string>
  /** Whether browsers take them; by themselves they do not. */
  readonly thirdPartyCookies?: boolean
}

/** A sidecar before an app, with an emulated Looker that serves iframes, and browsers with pages that embed them. */
export interface EmbedWorld extends World {
  readonly site: Sidecar
  /** An empty browser profile, or one with somebody's session. Its time is turned with the rest. */
  profile(person?: PersonId): Promise<BrowserContext>
  /** A page of the app, with `embed` in it: the Embed SDK, made ready by our client, and what the two have said. */
  openPage(context: BrowserContext, script?: string): Promise<Page>
  /** Moves the time on, in steps of so many minutes: at Looker, in the sidecar, in every page and frame. */
  turn(minutes: number, step?: number): Promise<void>
}

/** The script of a page that embeds, as far as tests need to look into it. */
const EMBEDDING = `
  import { getEmbedSDK } from '@looker/embed-sdk'
  import { connectLooker } from '/sallyport/client.js'
  const looker = connectLooker()
  const sdk = looker.embed(getEmbedSDK())
  const heard = []
  for (const name of ['signInNeeded', 'embedExpired']) looker.addEventListener(name, () => heard.push(name))
  const shown = {}
  /** Starts a frame; resolves once its page has been loaded. */
  async function show(id) {
    const builder = sdk.createDashboardWithId(id)
    builder.on('session:expired', () => heard.push('session:expired'))
    builder.on('session:status', ({ interrupted }) => interrupted && heard.push('interrupted'))
    shown[id] = await builder.appendTo(document.body).build().connect({ waitUntilLoaded: true })
  }
  const remove = () => document.querySelectorAll('iframe').forEach(frame => frame.remove())
  window.embed = { looker, sdk, heard, shown, show, remove }
`

export function setEmbedStage(): { open(options?: EmbedOptions): Promise<EmbedWorld> } {
  // Each test has a world of its own, and many steps of time.
  vi.setConfig({ testTimeout: 120_000 })
  const browser = setBrowser()
  const library = setLibrary()
  return {
    async open(options = {}) {
      const clock = createTurnableClock()
      const { issuer = {}, env } = options
      const world = await startWorld({
        issuer,
        looker: { now: clock.now, ...options.looker },
      })
      onTestFinished(() => world.close())
      const looker = { ...(world.written()['looker'] as Written), webUrl: world.looker.secureUrl, embed: options.embed }
      const rules = [{ paths: ['/public/**'], access: 'public' }, { paths: ['/**'] }]
      const site = await world.loginSidecar({ looker, rules }, { clock, ...(env === undefined ? {} : { env }) })
      const admin = await loginAsAdmin(world.looker)
      await admin.request('PATCH', '/setting', { embed_config: { domain_allowlist: [site.url] } })

      const contexts: BrowserContext[] = []
      const underWay = new Set<Request>()
      /** Whatever pages and frames were about to ask has been answered. */
      const settle = async (): Promise<void> => {
        // What a frame hears may make it ask the page around it, and that page ask Sallyport; none of them says when it is done.
        for (let hop = 0; hop < 8; hop += 1) {
          const frames = contexts.flatMap(context => context.pages()).flatMap(page => page.frames())
          // One may be taken off its page just now.
          await Promise.allSettled(frames.map(frame => frame.evaluate('0')))
          await expect.poll(() => underWay.size, { interval: 5, timeout: 30_000 }).toBe(0)
        }
      }
      const profile = async (): Promise<BrowserContext> => {
        const open = options.thirdPartyCookies === true ? profileWithThirdPartyCookies : browser.profile
        const context = await open({ ignoreHTTPSErrors: true })
        await context.clock.install()
        context.on('request', request => void underWay.add(request))
        // Bodies that nobody reads are never finished.
        context.on('response', response => void underWay.delete(response.request()))
        context.on('requestfailed', request => void underWay.delete(request))
        contexts.push(context)
        return context
      }
      return {
        ...world,
        site,
        profile: person => (person === undefined ? profile() : profileOf({ profile }, site.url, person)),
        async openPage(context, script = EMBEDDING) {
          const page = await library.openPage(context, site.url, script)
          if (script === EMBEDDING) await page.waitForFunction('window.embed')
          return page
        },
        async turn(minutes, step = 4) {
          for (let turned = 0; turned < minutes; turned += step) {
            clock.advance(step * 60)
            for (const context of contexts) await context.clock.fastForward(step * 60_000)
            await settle()
          }
        },
      }
    },
  }
}

/** Shows dashboards at once, each in a frame of its own. */
export async function show(page: Page, ...ids: string[]): Promise<void> {
  await page.evaluate(`Promise.all([${ids.map(id => `embed.show('${id}')`).join()}]).then(() => {})`)
}

/** Loads another dashboard in the frame that was begun with the first. */
export async function load(page: Page, first: string, other: string): Promise<void> {
  const loading = `embed.shown[${first}].loadDashboard('${other}', false, { waitUntilLoaded: true })`
  await page.evaluate(`${loading}.then(() => {})`)
}

/** The titles of what the frames of a page show. */
export async function titlesOf(page: Page): Promise<string[]> {
  const frames = await page.locator('iframe').all()
  return Promise.all(frames.map(frame => frame.contentFrame().getByRole('heading', { level: 1 }).innerText()))
}

/** What the page was told by the Embed SDK and by our client. */
export const heardBy = (page: Page): Promise<string[]> => page.evaluate<string[]>('embed.heard')

/** Requests of a page to the embed endpoints, from now on. */
export function embedRequestsOf(page: Page): string[] {
  const seen: string[] = []
  page.on('request', request => {
    const { pathname } = new URL(request.url())
    if (pathname.startsWith('/sallyport/looker/embed/')) seen.push(`${request.method()} ${pathname.split('/').at(-1)}`)
  })
  return seen
}
