import { z } from 'zod'
import { nearest } from './nearest.ts'

/**
 * A closed object. Where keys are unknown the message has one line for each of the issue's `keys`, in their order,
 * that names the nearest known key.
 */
export function section<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  return z.strictObject(shape, {
    error: issue => {
      if (issue.code === 'unrecognized_keys') {
        return issue.keys
          .map(key => `is not a key that Sallyport knows; did you mean "${nearest(key, Object.keys(shape))}"?`)
          .join('\n')
      }
      if (issue.code === 'invalid_type' && issue.input !== undefined) return 'has to be a block of keys'
      return undefined
    },
  })
}

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}

export const absoluteUrl = z.string().refine(
  text => {
    const url = parseUrl(text)
    return (
      url !== undefined &&
      // As it is written: `HTTP://` or a blank before it would pass for something else further on.
      /^https?:\/\/[^\s\\]+$/.test(text) &&
      url.username === '' &&
      url.password === '' &&
      url.search === '' &&
      url.hash === ''
    )
  },
  { error: 'is not an absolute http(s) URL without user, query and fragment; write it like https://host.example.com' },
)

/** The longest path that a socket can be bound to on every system that has them. */
const MAX_SOCKET_PATH = 103

/** The path in `unix:///run/app.sock`, to the letter; undefined for a URL of another scheme. */
export function unixSocketOf(url: string): string | undefined {
  return /^unix:\/\/(\/.+)$/s.exec(url)?.[1]
}

const unixUrl = z.string().refine(
  text => {
    const path = unixSocketOf(text)
    return path !== undefined && path.length <= MAX_SOCKET_PATH && !/[\s?#%]|\/$/.test(path)
  },
  {
    error: `is not the URL of a unix socket of at most ${MAX_SOCKET_PATH} characters; write it like unix:///run/app.sock`,
  },
)

/** Where an app listens: on a port, or on a unix socket beside us. */
export const appUrl = z.string().superRefine((text, context) => {
  const issue = (text.startsWith('unix:') ? unixUrl : absoluteUrl).safeParse(text).error?.issues[0]
  if (issue !== undefined) context.addIssue({ code: 'custom', message: issue.message })
})

export const origin = z.string().refine(text => parseUrl(text)?.origin === text && /^https?:/.test(text), {
  error: ({ input }) => {
    const meant = typeof input === 'string' ? parseUrl(input)?.origin : undefined
    const example = meant === undefined || meant === 'null' ? 'like https://app.example.com' : meant
    return `is not an origin: write scheme, host and port only, in lower case and without a slash at the end: ${example}`
  },
})

export const hostPort = z.string().refine(
  text => {
    const port = Number(/:(\d{1,5})$/.exec(text)?.[1] ?? Number.NaN)
    return port <= 65_535 && /^(\[[0-9a-fA-F:]+\]|[^:\s/]+):\d+$/.test(text)
  },
  { error: 'is not host:port; write it like 0.0.0.0:8080 or [::]:8080' },
)

export const durationSeconds = z.number().positive().max(86_400)

/** Escapes that requests are refused for (http/canonical-path.ts): a pattern with one would never match. */
const NEEDLESS_ESCAPE = /%(?![0-9a-f]{2})|%(?:2[def]|3[0-9b]|4[1-9a-f]|5[0-9acf]|6[1-9a-f]|7[0-9aef]|[01][0-9a-f]|25)/i

export const pathPattern = z
  .string()
  .refine(text => /^\/[^\s?#\\;]*$/.test(text) && !/\/(?:\.{1,2})(?:\/|$)|\/\/|\*{3,}|\*\*.|[^/]\*\*/.test(text), {
    error:
      'is not a path pattern: start with "/", no query, no dot segments; "*" stands inside one segment and "**" only as the last, like /admin/**',
  })
  .refine(text => !NEEDLESS_ESCAPE.test(text), {
    error: 'would never match: requests with such a percent-escape are refused; write the character itself',
  })

export const emailPattern = z.string().regex(/^(?:\*|[^@\s*]+)@[^@\s*.][^@\s*]*$/, {
  error: 'would never match: write a whole address, or *@example.com for everybody at exactly that domain',
})

const PLACEHOLDER = /\{([^{}]*)\}/g

/** Text with placeholders {issuer}, {subject}, {email}, {claim:NAME}. */
export const template = z
  .string()
  .min(1)
  .superRefine((text, context) => {
    for (const [whole, name = ''] of text.matchAll(PLACEHOLDER)) {
      if (!/^(issuer|subject|email|claim:.+)$/.test(name)) {
        context.addIssue({
          code: 'custom',
          message: `has the unknown placeholder ${whole}; there are {issuer}, {subject}, {email} and {claim:NAME}`,
        })
      }
    }
    if (/[{}]/.test(text.replaceAll(PLACEHOLDER, ''))) {
      context.addIssue({ code: 'custom', message: 'has a brace without its partner' })
    }
  })

export function isLoopback(url: string): boolean {
  const { hostname } = new URL(url)
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127(\.\d{1,3}){3}$/.test(hostname)
  )
}

/** Refuses plain `http:` in one key of a section unless the section says `allowInsecureHttp: true` or the host is loopback. */
export function refusesPlainHttp(key: string): z.core.$ZodCheck<Record<string, unknown>> {
  const refused = ({ value }: { value: unknown }): boolean => {
    const { [key]: url, allowInsecureHttp } = value as Record<string, unknown>
    return (
      typeof url === 'string' &&
      url.startsWith('http:') &&
      URL.canParse(url) &&
      !isLoopback(url) &&
      allowInsecureHttp !== true
    )
  }
  return z.refine<Record<string, unknown>>(value => !refused({ value }), {
    path: [key],
    error:
      'plain http: is refused for a host that is not loopback; use https:, or say allowInsecureHttp: true beside it for development',
    // Told in the same run as mistakes in the keys beside it.
    when: ({ value }) => typeof value === 'object' && value !== null,
  })
}
