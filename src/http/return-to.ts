import { Refusal } from '../core/failure.ts'
import { readTarget } from './canonical-path.ts'

const MAX_LENGTH = 2048
const PRINTABLE = /^[\x21-\x7e]*$/
/** Endpoints that a sign-in must not end at: some would undo it, some begin it again. */
const OF_SIGN_IN = ['/login', '/callback', '/logout', '/backchannel-logout', '/signed-out']

/**
 * Where a person goes after signing in: a path of this origin, to be sent in `Location` as it is, or `/` for all else.
 * What browsers forgive in a URL (backslashes, tabs, dots that are encoded) is how a path becomes somebody else's host, so
 * only what can be read in one way counts.
 */
export function safeReturnTo(wish: string | undefined, prefix: string): string {
  if (wish === undefined || wish.length > MAX_LENGTH) return '/'
  const written = wish.replaceAll(/\P{ASCII}+/gu, encodeURIComponent)
  if (written.length > MAX_LENGTH || !PRINTABLE.test(written) || written.includes('\\')) return '/'
  const [target = '', ...fragment] = written.split('#')
  if (fragment.length > 1) return '/'
  try {
    const { path } = readTarget(target)
    if (OF_SIGN_IN.some(endpoint => path === `${prefix}${endpoint}`)) return '/'
  } catch (error) {
    if (error instanceof Refusal) return '/'
    throw error
  }
  return written
}
