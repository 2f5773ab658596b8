import { Refusal } from '../core/failure.ts'

/** RFC 3986 §3.3: what a path may be written with, and the three marks that browsers send as they are. */
const PATH = /^\/(?:[A-Za-z0-9\-._~!$&'()*+,=:@/[\]|]|%[0-9A-Fa-f]{2})*$/
/**
 * What some app, framework or server reads in another way than it is written: an encoded slash, backslash, dot or NUL,
 * an encoding of an encoding, matrix parameters, encoded letters (`%61`), empty and dot segments.
 */
const AMBIGUOUS = /%(?:2[DEF]|3[0-9B]|4[1-9A-F]|5[0-9ACF]|6[1-9A-F]|7[0-9AEF]|[01][0-9A-F]|25)|\/\/|\/\.{1,2}(?:\/|$)/i

const MAX_PATH = 8192

export interface Target {
  /** As it is judged and as it is sent, to the byte. */
  readonly path: string
  /** With its question mark, or empty. Kept to the byte and never judged. */
  readonly query: string
}

/**
 * Splits a request target into its path and query.
 * @throws {Refusal} `bad-request` for a path that could be read in two ways, so that the rule and the app read it alike.
 */
export function readTarget(target: string): Target {
  const mark = target.indexOf('?')
  const path = mark === -1 ? target : target.slice(0, mark)
  if (path.length > MAX_PATH) throw refuse('the path is too long')
  if (!PATH.test(path)) throw refuse('the path has characters that have to be percent-encoded, or a broken escape')
  if (AMBIGUOUS.test(path)) {
    throw refuse(
      'the path can be read in more than one way; send it without dot segments, empty segments and needless escapes',
    )
  }
  const query = mark === -1 ? '' : target.slice(mark)
  // A fragment is not part of a request; some servers would cut the path there.
  if (query.includes('#')) throw refuse('the query has a "#"')
  return { path, query }
}

function refuse(detail: string): Refusal {
  return new Refusal({ kind: 'bad-request', detail })
}
