import { isField } from './field.ts'

/** Takes the bytes of a body in chunks (RFC 9112 §7.1), in pieces of any size. */
export interface ChunkReader {
  /**
   * Reads on from `start`, and gives each piece of the body to `onPiece`.
   * @returns where the bytes behind the body begin, or -1 while there is more to come.
   * @throws {Error} where it is no such body.
   */
  read(bytes: Buffer, start: number, onPiece: (piece: Buffer) => void): number
}

const LF = 10
/** Up to 2⁴⁸ bytes, more than any chunk has and still exact; and extensions, which nobody reads. */
const SIZE_LINE =
  /^([0-9A-Fa-f]{1,12})(?:;[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:=(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+|"[!#-[\]-~\t ]*"))?)*$/
/** Of a line, and of all trailers together, which nobody reads either. */
const MAX_LINE_BYTES = 16_384

const FRAMING = /^(?:content-length|transfer-encoding)$/i

type Next = 'size' | 'data' | 'end of data' | 'trailer'

export function createChunkReader(): ChunkReader {
  let next: Next = 'size'
  let left = 0
  let line = ''
  let trailerBytes = 0

  /** Whether the body ends with this line. */
  const take = (text: string): boolean => {
    if (next === 'size') {
      const size = SIZE_LINE.exec(text)?.[1]
      if (size === undefined) throw new Error('the size of a chunk cannot be read')
      left = Number.parseInt(size, 16)
      next = left === 0 ? 'trailer' : 'data'
      return false
    }
    if (next === 'end of data') {
      if (text !== '') throw new Error('a chunk is longer than its size')
      next = 'size'
      return false
    }
    if (text === '') return true
    trailerBytes += text.length + 2
    if (trailerBytes > MAX_LINE_BYTES) throw new Error('the trailers are too long')
    const colon = text.indexOf(':')
    const name = text.slice(0, colon)
    // RFC 9110 §6.5.1: what says where a body ends comes before it.
    if (colon === -1 || !isField(name, text.slice(colon + 1)) || FRAMING.test(name)) {
      throw new Error('a trailer cannot be read')
    }
    return false
  }

  return {
    read(bytes, start, onPiece) {
      let at = start
      while (at < bytes.length) {
        if (next === 'data') {
          const end = Math.min(at + left, bytes.length)
          left -= end - at
          if (left === 0) next = 'end of data'
          onPiece(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end))
          at = end
          continue
        }
        const lineEnd = bytes.indexOf(LF, at)
        line += bytes.toString('latin1', at, lineEnd === -1 ? bytes.length : lineEnd)
        if (line.length > MAX_LINE_BYTES) throw new Error('a line between the chunks is too long')
        if (lineEnd === -1) return -1
        at = lineEnd + 1
        if (!line.endsWith('\r')) throw new Error('a line between the chunks ends in a way of its own')
        const text = line.slice(0, -1)
        line = ''
        if (take(text)) return at
      }
      return -1
    },
  }
}
