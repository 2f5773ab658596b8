import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest'
import { type DemoParts, startDemo } from '../../demo/parts.ts'

export const NAMES = { ana: 'Ana Alvarez', vic: 'Vic Okafor', nora: 'Nora Lind' } as const
export type PersonId = keyof typeof NAMES

export interface Profiles {
  /** A browser profile of its own, empty; closed when the test ends. Whatever its pages complain of fails the test. */
  profile(options?: BrowserContextOptions): Promise<BrowserContext>
}

export interface Stage extends Profiles {
  readonly demo: DemoParts
}

/** The whole demo and a Chromium, for the tests of one file. */
export function setStage(): Stage {
  let demo: DemoParts | undefined
  beforeAll(async () => {
    demo = await startDemo({ anyPorts: true })
  })
  afterAll(() => demo?.close())
  const { profile } = setBrowser()
  return {
    profile,
    get demo() {
      if (demo === undefined) throw new Error('the demo has not been started yet')
      return demo
    },
  }
}

const LAUNCHING = {
  executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
  // Containers run tests as root, where Chromium's sandbox cannot.
  args: [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), '--disable-gpu', '--disable-background-networking'],
}
const SIZE = { viewport: { width: 1280, height: 900 } }

/** A Chromium, for the tests of one file. */
export function setBrowser(): Profiles {
  let browser: Browser | undefined
  beforeAll(async () => {
    browser = await chromium.launch(LAUNCHING)
  })
  afterAll(() => browser?.close())
  return {
    async profile(options = {}) {
      if (browser === undefined) throw new Error('the browser has not been started yet')
      return watched(await browser.newContext({ ...SIZE, ...options }))
    },
  }
}

/** As `profile`, in a Chromium of its own that takes third-party cookies; by itself it blocks them. */
export async function profileWithThirdPartyCookies(options: BrowserContextOptions = {}): Promise<BrowserContext> {
  const folder = await mkdtemp(join(tmpdir(), 'chromium-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await mkdir(join(folder, 'Default'))
  const preferences = { profile: { cookie_controls_mode: 0, block_third_party_cookies: false } }
  await writeFile(join(folder, 'Default', 'Preferences'), JSON.stringify(preferences))
  return watched(await chromium.launchPersistentContext(folder, { ...LAUNCHING, ...SIZE, ...options }))
}

function watched(context: BrowserContext): BrowserContext {
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
