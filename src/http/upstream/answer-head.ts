import { isField } from './field.ts'

/** The head of an answer, as it was read and not yet judged. */
export interface AnswerHead {
  readonly status: number
  /** As Latin-1. It says nothing (RFC 9112 §4), and may be empty. */
  readonly reason: string
  /** Name, value, name, value; names in lower case, values as Latin-1, so that no byte is changed. */
  readonly headers: readonly string[]
  /** How many bytes follow; undefined where they are chunks, or end with the connection. */
  readonly length: number | undefined
  readonly chunked: boolean
  /** How long the connection may wait for its next request, in milliseconds; 0 where it is good for this one only. */
  readonly idleMilliseconds: number
}

/** RFC 9112 §4. The reason and the space before it are often left out together. */
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?\r\n/
/** Node's own servers say that they wait 5 s, and do so to the millisecond: whoever comes last finds a closed door. */
const IDLE_MILLISECONDS = 4000
const IDLE_MARGIN_MILLISECONDS = 2000
const MAX_IDLE_MILLISECONDS = 600_000

/**
 * Reads the head of an answer, strictly: whatever two readers could cut at different places is refused, for then somebody
 * else's answer could come out of the rest. RFC 9112 §4–6 and §11.1.
 * @param text as Latin-1, with all of its line ends but the last.
 * @param method of the request: an answer to HEAD has no body.
 * @throws {Error} what is wrong with it, without a word of what it says.
 */
export function readAnswerHead(text: string, method: string): AnswerHead {
  const line = STATUS_LINE.exec(text)
  if (line === null) throw new Error('the status line is none')
  const status = Number(line[2])
  const headers: string[] = []
  let length: number | undefined
  let chunked = false
  let keeps = line[1] === '1'
  let closes = false
  let idleMilliseconds = IDLE_MILLISECONDS

  for (let start = line[0].length; start < text.length; ) {
    const end = text.indexOf('\r\n', start)
    const colon = text.indexOf(':', start)
    // A line that begins with a space continues the one before (RFC 9112 §5.2), and has no name either.
    if (colon === -1 || colon > end) throw new Error('a header has no name')
    const name = text.slice(start, colon)
    const value = withoutSpaces(text, colon + 1, end)
    if (!isField(name, value)) throw new Error('a header has a character that ends it for some readers')
    const lower = name.toLowerCase()
    // RFC 9110 §8.6: an answer without content has no length of it.
    if (status !== 204 || lower !== 'content-length') headers.push(lower, value)
    if (lower === 'content-length') {
      if (length !== undefined) throw new Error('there is more than one length')
      length = readLength(value)
    } else if (lower === 'transfer-encoding') {
      // Node's reader does not know the coding with a tab beside it.
      if (chunked || !/^ *chunked *$/i.test(text.slice(colon + 1, end))) throw new Error('a coding other than chunks')
      chunked = true
    } else if (lower === 'connection') {
      const options = value.toLowerCase()
      keeps ||= options.includes('keep-alive')
      closes ||= options.includes('close')
    } else if (lower === 'keep-alive') {
      const seconds = /(?:^|[\s,;])timeout=(\d{1,9})/i.exec(value)?.[1]
      if (seconds !== undefined) {
        idleMilliseconds = Math.min(Number(seconds) * 1000 - IDLE_MARGIN_MILLISECONDS, MAX_IDLE_MILLISECONDS)
      }
    }
    start = end + 2
  }

  if (chunked && length !== undefined) throw new Error('there are a length and chunks')
  if (line[1] === '0' && (chunked || status < 200))
    throw new Error('there is something in HTTP/1.0 that it does not have')
  const isEmpty = status < 200 || status === 204 || status === 304
  // Some send it all the same, and it would be read as the next answer.
  const announcesMore = isEmpty && (chunked || (length ?? 0) > 0)
  if (isEmpty || method === 'HEAD') {
    length = 0
    chunked = false
  }
  const persistent = keeps && !closes && !announcesMore && (chunked || length !== undefined)
  return {
    status,
    reason: line[3] ?? '',
    headers,
    length,
    chunked,
    idleMilliseconds: persistent ? Math.max(idleMilliseconds, 0) : 0,
  }
}

/** The value of the first header of this name. @param name in lower case. */
export function headerOf(headers: readonly string[], name: string): string | undefined {
  for (let index = 0; index < headers.length; index += 2) if (headers[index] === name) return headers[index + 1]
  return undefined
}

function readLength(value: string): number {
  const length = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN
  if (!Number.isSafeInteger(length)) throw new Error('the length is no number')
  return length
}

const SPACE = 0x20
const TAB = 0x09

/** RFC 9110 §5.6.3. `trim` takes more than that, and a byte of UTF-8 may look like what it takes. */
function withoutSpaces(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isSpace(text.charCodeAt(start))) start++
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isSpace(code: number): boolean {
  return code === SPACE || code === TAB
}
