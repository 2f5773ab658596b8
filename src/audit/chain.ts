import { createHmac, hash } from 'node:crypto'
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

/** Closes a batch of lines that lack their final brace. Gives the text to write, with line ends, and the state behind it. */
export function closeBatch(
  bodies: readonly string[],
  before: ChainState,
  key: Buffer | undefined,
): { text: string; state: ChainState } {
  let { crc } = before
  const lines = bodies.map(body => {
    crc = crc32(body, crc)
    return `${body},"chain":{"crc":"${hex(crc)}"`
  })
  const open = lines.join('}}\n')
  const seal = sealOf(before.seal, open, key)
  const text = `${open},"${key === undefined ? 'hash' : 'mac'}":"${seal}"}}\n`
  return { text, state: { sequence: before.sequence + bodies.length, crc, seal } }
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

export function sealOf(before: string, open: string, key: Buffer | undefined): string {
  const covered = `${before}\n${open}`
  return key === undefined
    ? hash('sha256', covered, 'base64url')
    : createHmac('sha256', key).update(covered).digest('base64url')
}

function hex(crc: number): string {
  return crc.toString(16).padStart(8, '0')
}
