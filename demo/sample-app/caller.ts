import type { IncomingHttpHeaders } from 'node:http'

/** Who the headers of a request say has sent it. Behind the sidecar they can be believed; this app believes them. */
export interface Caller {
  readonly user: string
  readonly email: string | undefined
  readonly preferredUsername: string | undefined
  readonly groups: readonly string[]
  readonly requestId: string | undefined
}

/** Undefined where nobody is signed in. */
export function callerOf(headers: IncomingHttpHeaders): Caller | undefined {
  const user = valueOf(headers, 'x-forwarded-user')
  if (user === undefined) return undefined
  return {
    user,
    email: valueOf(headers, 'x-forwarded-email'),
    preferredUsername: valueOf(headers, 'x-forwarded-preferred-username'),
    groups: (valueOf(headers, 'x-forwarded-groups') ?? '')
      .split(',')
      .map(group => group.trim().replaceAll('%2C', ',').replaceAll('%25', '%'))
      .filter(Boolean),
    requestId: valueOf(headers, 'x-request-id'),
  }
}

export function nameOf({ preferredUsername, email, user }: Caller): string {
  return preferredUsername ?? email ?? user
}

/** Node reads headers as Latin-1; the names in these are UTF-8. */
function valueOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  const text = Array.isArray(value) ? value.join(', ') : value
  return text === undefined ? undefined : Buffer.from(text, 'latin1').toString('utf8')
}
