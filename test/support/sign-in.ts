import { type Browser, createBrowser, type Page } from '../../demo/issuer/browser.ts'
import { choosePerson } from '../../demo/issuer/sign-in.ts'
import type { Sidecar } from './world.ts'

/** Signs somebody in, from `/login` to the page they wanted; by default that is the one that says who they are. */
export async function signIn(
  sidecar: Sidecar,
  person: string,
  { browser = createBrowser(), returnTo = '/sallyport/session' }: { browser?: Browser; returnTo?: string } = {},
): Promise<{ browser: Browser; page: Page }> {
  const page = await browser.open(loginUrl(sidecar, returnTo))
  // Who has a session at the issuer is not asked again.
  return { browser, page: page.body.includes('<form') ? await choosePerson(browser, page, person) : page }
}

/** Goes to the issuer and back as far as the answer, which the browser has not given yet. */
export async function answerOf(
  sidecar: Sidecar,
  person: string,
  { browser = createBrowser(), returnTo = '/sallyport/session' }: { browser?: Browser; returnTo?: string } = {},
): Promise<{ browser: Browser; answer: URL }> {
  const stopAt = (url: URL): boolean => url.pathname === '/sallyport/callback'
  const page = await browser.open(loginUrl(sidecar, returnTo), { stopAt })
  const last = stopAt(page.url) ? page : await choosePerson(browser, page, person, stopAt)
  return { browser, answer: last.url }
}

function loginUrl({ url }: Sidecar, returnTo: string): string {
  return `${url}/sallyport/login?${new URLSearchParams({ return_to: returnTo }).toString()}`
}

/** The session cookie that a browser shows a sidecar on loopback. */
export function sessionOf(browser: Browser, { url }: Sidecar): string | undefined {
  return /(?:^|; )sallyport=([^;]+)/.exec(browser.cookieHeader(url))?.[1]
}

/** Who a session's cookie makes of a request; the status where it makes nobody. */
export async function whoIs(sidecar: Sidecar, session: string | undefined): Promise<unknown> {
  const response = await sidecar.fetch('/sallyport/session', { headers: { cookie: `sallyport=${session}` } })
  const body = (await response.json()) as { subject?: string }
  return body.subject ?? response.status
}
