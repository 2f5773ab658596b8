import { type Browser, createBrowser, type Page } from '../../demo/issuer/browser.ts'
import { choosePerson } from '../../demo/issuer/sign-in.ts'

/** Where people sign in; its URL is the `publicUrl`. */
type Site = { readonly url: string }

/** Signs somebody in, from `/login` to the page they wanted; by default that is the one that says who they are. */
export async function signIn(
  sidecar: Site,
  person: string,
  { browser = createBrowser(), returnTo = '/sallyport/session' }: { browser?: Browser; returnTo?: string } = {},
): Promise<{ browser: Browser; page: Page }> {
  const page = await browser.open(loginUrl(sidecar, returnTo))
  // Who has a session at the issuer is not asked again.
  return { browser, page: page.body.includes('<form') ? await choosePerson(browser, page, person) : page }
}

/** Goes to the issuer and back as far as the answer, which the browser has not given yet. */
export async function answerOf(
  sidecar: Site,
  person: string,
  { browser = createBrowser(), returnTo = '/sallyport/session' }: { browser?: Browser; returnTo?: string } = {},
): Promise<{ browser: Browser; answer: URL }> {
  const stopAt = (url: URL): boolean => url.pathname === '/sallyport/callback'
  const page = await browser.open(loginUrl(sidecar, returnTo), { stopAt })
  const last = stopAt(page.url) ? page : await choosePerson(browser, page, person, stopAt)
  return { browser, answer: last.url }
}

function loginUrl({ url }: Site, returnTo: string): string {
  return `${url}/sallyport/login?${new URLSearchParams({ return_to: returnTo }).toString()}`
}

/** The session cookie that a browser shows a sidecar on loopback. */
export function sessionOf(browser: Browser, { url }: Site): string | undefined {
  return /(?:^|; )sallyport=([^;]+)/.exec(browser.cookieHeader(url))?.[1]
}

/** Who a session's cookie makes of a request; the status where it makes nobody. */
export async function whoIs({ url }: Site, session: string | undefined): Promise<unknown> {
  const response = await fetch(`${url}/sallyport/session`, {
    redirect: 'manual',
    headers: { cookie: `sallyport=${session}` },
  })
  const body = (await response.json()) as { subject?: string }
  return body.subject ?? response.status
}
