import type { Identity } from '../core/identity.ts'
import { isField } from './upstream/field.ts'

/** The header of the signed identity. */
export const ASSERTION = 'x-sallyport-assertion'
/** All that can tell an app who is calling. */
export const IDENTITY_HEADERS = [
  'x-forwarded-user',
  'x-forwarded-email',
  'x-forwarded-preferred-username',
  'x-forwarded-groups',
  ASSERTION,
]

const known = new WeakMap<Identity, readonly string[]>()

/** The headers that tell the app who is calling: name, value, name, value. The same for all requests of one identity. */
export function identityHeaders(identity: Identity): readonly string[] {
  let headers = known.get(identity)
  if (headers === undefined) {
    headers = make(identity)
    known.set(identity, headers)
  }
  return headers
}

const knownLines = new WeakMap<Identity, string>()

/** The same as whole lines of a request's head. @throws {Error} where one would not stay a line. */
export function identityLines(identity: Identity): string {
  let lines = knownLines.get(identity)
  if (lines === undefined) {
    lines = ''
    const headers = identityHeaders(identity)
    for (let index = 0; index < headers.length; index += 2) {
      const [name = '', value = ''] = headers.slice(index, index + 2)
      if (!isField(name, value)) throw new Error(`the identity cannot be said in ${name}`)
      lines += `${name}: ${value}\r\n`
    }
    knownLines.set(identity, lines)
  }
  return lines
}

function make({ subject, email, preferredUsername, name, groups }: Identity): readonly string[] {
  const headers = ['x-forwarded-user', bytes(subject)]
  if (email !== undefined) headers.push('x-forwarded-email', bytes(email))
  const username = preferredUsername ?? name
  if (username !== undefined) headers.push('x-forwarded-preferred-username', bytes(username))
  // A comma inside a name would make two groups of one, and the second could be "admins".
  if (groups.length > 0) {
    headers.push(
      'x-forwarded-groups',
      groups.map(group => bytes(group).replaceAll('%', '%25').replaceAll(',', '%2C')).join(','),
    )
  }
  return headers
}

/** UTF-8 on the wire, as other proxies of this kind send it; Node takes a header as Latin-1. */
function bytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}
