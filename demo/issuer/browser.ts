import { request } from 'undici'

/** Where a journey ended. When it was stopped before a redirect, `url` is the place not gone to and `body` is empty. */
export interface Page {
  readonly url: URL
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

interface Journey {
  /** Redirects are followed until one leads to where this says true. */
  stopAt?: (url: URL) => boolean
}

/** A browser of the plainest kind: it keeps cookies, follows redirects and submits forms. */
export interface Browser {
  open(url: string | URL, journey?: Journey): Promise<Page>
  /** Submits the only form of a page: its hidden fields, and the given ones. */
  submit(page: Page, fields: Record<string, string>, journey?: Journey): Promise<Page>
  /** The Cookie header that a request to this address would carry. */
  cookieHeader(url: string | URL): string
}

interface Cookie {
  name: string
  value: string
  host: string
  path: string
}

const MAX_REDIRECTS = 20

export function createBrowser(): Browser {
  // As in real browsers, cookies belong to a host whatever the port: two demo parts on one host share them.
  const cookies = new Map<string, Cookie>()

  const cookieHeader = (address: string | URL): string => {
    const { hostname, pathname } = new URL(address)
    return Array.from(cookies.values())
      .filter(cookie => cookie.host === hostname && pathMatches(pathname, cookie.path))
      .sort((one, other) => other.path.length - one.path.length)
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ')
  }

  const remember = (url: URL, setCookie: string | string[] | undefined) => {
    for (const line of [setCookie ?? []].flat()) {
      const { cookie, gone } = parseCookie(line, url)
      const id = `${cookie.host} ${cookie.path} ${cookie.name}`
      if (gone) cookies.delete(id)
      else cookies.set(id, cookie)
    }
  }

  const travel = async (start: URL, form: URLSearchParams | undefined, from: URL | undefined, journey: Journey) => {
    let url = start
    let body = form
    for (let hop = 0; hop < MAX_REDIRECTS; hop += 1) {
      const cookie = cookieHeader(url)
      const answer = await request(url, {
        method: body ? 'POST' : 'GET',
        headers: {
          accept: 'text/html,application/xhtml+xml',
          'sec-fetch-mode': 'navigate',
          'sec-fetch-dest': 'document',
          'sec-fetch-site': from === undefined ? 'none' : from.origin === url.origin ? 'same-origin' : 'cross-site',
          ...(cookie ? { cookie } : {}),
          ...(body ? { 'content-type': 'application/x-www-form-urlencoded', origin: from?.origin ?? 'null' } : {}),
        },
        body: body?.toString() ?? null,
      })
      remember(url, answer.headers['set-cookie'])
      const text = await answer.body.text()
      const location = answer.headers['location']
      if (answer.statusCode < 300 || answer.statusCode > 399 || typeof location !== 'string') {
        return { url, status: answer.statusCode, headers: answer.headers, body: text }
      }
      url = new URL(location, url)
      if (journey.stopAt?.(url)) return { url, status: answer.statusCode, headers: answer.headers, body: '' }
      if (answer.statusCode < 307) body = undefined
    }
    throw new Error(`more than ${MAX_REDIRECTS} redirects from ${start.href}`)
  }

  return {
    cookieHeader,
    open: (url, journey = {}) => travel(new URL(url), undefined, undefined, journey),
    submit: (page, fields, journey = {}) => {
      const form = parseForm(page)
      return travel(form.action, new URLSearchParams({ ...form.hidden, ...fields }), page.url, journey)
    },
  }
}

function pathMatches(pathname: string, path: string): boolean {
  return pathname === path || pathname.startsWith(path.endsWith('/') ? path : `${path}/`)
}

// RFC 6265 §5.2, without Domain: nothing here sets a cookie for more than its own host.
function parseCookie(line: string, url: URL): { cookie: Cookie; gone: boolean } {
  const [pair = '', ...attributes] = line.split(';')
  const equals = pair.indexOf('=')
  const attribute = (name: string) =>
    attributes.map(part => part.trim().split('=')).find(([key]) => key?.toLowerCase() === name)?.[1]
  const maxAge = attribute('max-age')
  const expires = attribute('expires')
  return {
    cookie: {
      name: pair.slice(0, equals).trim(),
      value: pair.slice(equals + 1).trim(),
      host: url.hostname,
      path: attribute('path') ?? url.pathname.slice(0, Math.max(1, url.pathname.lastIndexOf('/'))),
    },
    gone: maxAge === undefined ? expires !== undefined && Date.parse(expires) <= Date.now() : Number(maxAge) <= 0,
  }
}

function parseForm(page: Page): { action: URL; hidden: Record<string, string> } {
  const form = /<form\b[^>]*>[^]*?<\/form>/i.exec(page.body)?.[0]
  if (form === undefined) throw new Error(`no form at ${page.url.href} (${page.status}): ${page.body.slice(0, 200)}`)
  const hidden = Array.from(form.matchAll(/<input\b[^>]*type="hidden"[^>]*>/gi), ([input]) => [
    attributeOf(input, 'name') ?? '',
    attributeOf(input, 'value') ?? '',
  ])
  return { action: new URL(attributeOf(form, 'action') ?? page.url.href, page.url), hidden: Object.fromEntries(hidden) }
}

function attributeOf(markup: string, name: string): string | undefined {
  return new RegExp(`\\s${name}="([^"]*)"`, 'i')
    .exec(markup)?.[1]
    ?.replace(/&#(\d+);/g, (_match, code) => String.fromCharCode(Number(code)))
    .replaceAll('&amp;', '&')
}
