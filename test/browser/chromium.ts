import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest'
import { type DemoParts, startDemo } from '../../demo/parts.ts'

export const NAMES = { ana: 'Ana Alvarez', vic: 'Vic Okafor', nora: 'Nora Lind' } as const
export type PersonId = keyof typeof NAMES

export interface Stage {
  readonly demo: DemoParts
  /** A browser profile of its own, empty; closed when the test ends. Whatever its pages complain of fails the test. */
  profile(options?: BrowserContextOptions): Promise<BrowserContext>
}

/** The whole demo and a Chromium, for the tests of one file. */
export function setStage(): Stage {
  let demo: DemoParts | undefined
  let browser: Browser | undefined
  beforeAll(async () => {
    demo = await startDemo({ anyPorts: true })
    browser = await chromium.launch({
      executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
      // Containers run tests as root, where Chromium's sandbox cannot.
      args: [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), '--disable-gpu', '--disable-background-networking'],
    })
  })
  afterAll(async () => {
    await browser?.close()
    await demo?.close()
  })
  return {
    get demo() {
      if (demo === undefined) throw new Error('the demo has not been started yet')
      return demo
    },
    async profile(options = {}) {
      if (browser === undefined) throw new Error('the browser has not been started yet')
      const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
      const complaints: string[] = []
      context.on('weberror', error => complaints.push(error.error().message))
      context.on('console', message => {
        if (message.text().includes('Content Security Policy')) complaints.push(message.text())
      })
      onTestFinished(async () => {
        await context.close()
        expect(complaints).toEqual([])
      })
      return context
    },
  }
}

/** From the landing page to the desk, as a person does it. */
export async function signIn(page: Page, { sallyportUrl }: DemoParts, person: PersonId): Promise<void> {
  await page.goto(sallyportUrl)
  await page.getByRole('link', { name: 'Sign in' }).click()
  await page.getByRole('button', { name: NAMES[person] }).click()
  await greets(page, person)
}

/** Waits for the page of somebody who is signed in. */
export async function greets(page: Page, person: PersonId): Promise<void> {
  await page.getByRole('heading', { level: 1, name: `Hello, ${NAMES[person]}` }).waitFor()
}

/** Ends the person's session at the issuer, which tells Sallyport behind the browser's back. Resolves with when it was asked to. */
export async function signOutAtIssuer(context: BrowserContext, { issuer }: DemoParts): Promise<number> {
  const page = await context.newPage()
  await page.goto(`${issuer.issuer}/session/end`)
  const at = performance.now()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('heading', { name: 'Signed out' }).waitFor()
  await page.close()
  return at
}

export async function textOf(page: Page, selector: string): Promise<string> {
  return (await page.locator(selector).textContent()) ?? ''
}
