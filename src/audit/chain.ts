import { createHash, createHmac } from 'node:crypto'
import { crc32 } from 'node:zlib'

/**
 * The chain through the lines of an audit log.
 *
 * Each line ends in `,"chain":{"crc":"…"}}`: a CRC-32 over the line so far that starts from the CRC of the line before,
 * which names a line that was damaged or lost for next to nothing. The last line of each batch that is written together
 * has a `mac` as well: HMAC-SHA-256 over the `mac` before and all lines of the batch, which cannot be made without the
 * key. Without a key it is a plain `hash`, which shows accidents and not forgery.
 */
export interface ChainState {
  readonly sequence: number
  readonly crc: number
  readonly seal: string
}

export const CHAIN_START: ChainState = { sequence: 0, crc: 0, seal: '' }

/** What the key of the chain is derived for. */
export const AUDIT_KEY = 'sallyport audit'

const TAIL = /,"chain":\{"crc":"([0-9a-f]{8})"(?:,"(mac|hash)":"([\w-]+)")?\}\}$/

export interface Batch {
  /** Puts a line behind the others. It lacks its final brace. */
  add(body: string): void
  /**
   * Seals the lines and begins the next batch, in another piece of memory. Gives what is to be written, with line ends, and
   * the state behind it. The text has to be taken, or copied, before the batch after this is closed: its memory is used again.
   */
  close(key: Buffer | undefined): { text: Buffer; state: ChainState }
}

/** Bytes. More than a quiet log fills in one batch. */
const SMALLEST_BUFFER = 8192
/** What one storm of requests took is not kept for ever. */
const LARGEST_BUFFER = 1_048_576
/** A UTF-16 unit takes three bytes of UTF-8 at most. */
const BYTES_A_UNIT = 3
/** What ends a line: the digits of its checksum are put in, and the seal of a batch goes before the braces. */
const CLOSE = '}}\n'
const END = Buffer.from(`,"chain":{"crc":"00000000"${CLOSE}`)
const DIGITS_AT = END.indexOf('0')
const MAX_SEAL_BYTES = 64
const DIGITS = Buffer.from('0123456789abcdef')

/**
 * Lines that are written together, as bytes from the first. Two buffers take turns, for memory outside of V8's heap that is
 * new for each batch makes V8 look through all of its heap once a second, which costs a request a third more (bench/README.md).
 */
export function createBatch(begin: ChainState): Batch {
  let before = begin
  let { crc } = begin
  let count = 0
  let length = 0
  let buffer = Buffer.allocUnsafeSlow(SMALLEST_BUFFER)
  let other = Buffer.allocUnsafeSlow(SMALLEST_BUFFER)

  const makeRoom = (bytes: number): void => {
    if (length + bytes <= buffer.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(length + bytes, buffer.length * 2))
    buffer.copy(larger, 0, 0, length)
    buffer = larger
  }
  return {
    add(body) {
      makeRoom(body.length * BYTES_A_UNIT + END.length + MAX_SEAL_BYTES)
      const from = length
      length += buffer.write(body, length)
      crc = crc32(buffer.subarray(from, length), crc)
      END.copy(buffer, length)
      for (let digit = 0; digit < 8; digit++) {
        buffer[length + DIGITS_AT + digit] = DIGITS[(crc >>> (28 - 4 * digit)) & 15] as number
      }
      length += END.length
      count++
    },
    close(key) {
      const open = length - CLOSE.length
      const seal = sealOf(before.seal, buffer.subarray(0, open), key)
      length = open + buffer.write(`,"${key === undefined ? 'hash' : 'mac'}":"${seal}"${CLOSE}`, open, 'latin1')
      const text = buffer.subarray(0, length)
      before = { sequence: before.sequence + count, crc, seal }
      const spare = buffer.length > LARGEST_BUFFER ? Buffer.allocUnsafeSlow(SMALLEST_BUFFER) : buffer
      buffer = other
      other = spare
      count = 0
      length = 0
      return { text, state: before }
    },
  }
}

export interface LineEnd {
  /** The line without its `chain`. */
  readonly body: string
  readonly crc: number
  /** The line without its seal, as the seal covers it. */
  readonly sealed: string
  readonly seal: { readonly kind: 'mac' | 'hash'; readonly value: string } | undefined
}

export function readLineEnd(line: string): LineEnd | undefined {
  const tail = TAIL.exec(line)
  if (tail === null) return undefined
  const [, crc = '', kind, value = ''] = tail
  const body = line.slice(0, tail.index)
  return {
    body,
    crc: Number.parseInt(crc, 16),
    sealed: `${body},"chain":{"crc":"${crc}"`,
    seal: kind === 'mac' || kind === 'hash' ? { kind, value } : undefined,
  }
}

export function sealOf(before: string, open: string | Buffer, key: Buffer | undefined): string {
  const sum = key === undefined ? createHash('sha256') : createHmac('sha256', key)
  return sum.update(`${before}\n`).update(open).digest('base64url')
}
