/** Takes the bytes of a body in chunks (RFC 9112 §7.1), in pieces of any size. */
export interface ChunkReader {
  /**
   * Reads on from `start`, and gives each piece of the body to `onPiece`.
   * @returns where the bytes behind the body begin, or -1 while there is more to come.
   * @throws {Error} where it is no such body.
   */
  read(bytes: Buffer, start: number, onPiece: (piece: Buffer) => void): number
}

const CR = 13
const LF = 10
const SEMICOLON = 59
/** 2⁴⁸ bytes, more than any chunk has, and still exact. */
const MAX_DIGITS = 12
/** Of what is neither size nor body, the extensions of one chunk or the trailers: nobody reads them. */
const MAX_OTHER_BYTES = 16_384

type Place =
  | 'size'
  | 'extension'
  | 'size-end'
  | 'data'
  | 'data-end'
  | 'data-end-2'
  | 'trailer-start'
  | 'trailer'
  | 'trailer-line-end'
  | 'end'

export function createChunkReader(): ChunkReader {
  let place: Place = 'size'
  let size = 0
  let digits = 0
  let other = 0

  const countOther = (): void => {
    if (++other > MAX_OTHER_BYTES) throw new Error('the extensions or trailers of the chunks are too long')
  }
  const expect = (byte: number, wanted: number, next: Place): void => {
    if (byte !== wanted) throw new Error('a chunk does not end where it should')
    place = next
  }
  const readSize = (byte: number): void => {
    const digit = hexOf(byte)
    if (digit !== -1) {
      if (++digits > MAX_DIGITS) throw new Error('a chunk is too long')
      size = size * 16 + digit
    } else if (digits === 0 || (byte !== CR && byte !== SEMICOLON)) {
      throw new Error('the size of a chunk is none')
    } else {
      place = byte === CR ? 'size-end' : 'extension'
    }
  }
  /** Within a line whose content is nobody's: where it ends, and that it ends as all readers see it. */
  const skip = (byte: number, next: Place): void => {
    countOther()
    if (byte === CR) place = next
    else if (byte === LF) throw new Error('a line of the chunks ends in a way of its own')
  }

  return {
    read(bytes, start, onPiece) {
      for (let at = start; at < bytes.length; at++) {
        const byte = bytes[at] as number
        switch (place) {
          case 'size':
            readSize(byte)
            break
          case 'extension':
            skip(byte, 'size-end')
            break
          case 'size-end':
            expect(byte, LF, size === 0 ? 'trailer-start' : 'data')
            break
          case 'data': {
            const end = Math.min(at + size, bytes.length)
            size -= end - at
            if (size === 0) {
              place = 'data-end'
              digits = 0
              other = 0
            }
            onPiece(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end))
            at = end - 1
            break
          }
          case 'data-end':
            expect(byte, CR, 'data-end-2')
            break
          case 'data-end-2':
            expect(byte, LF, 'size')
            break
          case 'trailer-start':
            if (byte === CR) {
              place = 'end'
              break
            }
            place = 'trailer'
            skip(byte, 'trailer-line-end')
            break
          case 'trailer':
            skip(byte, 'trailer-line-end')
            break
          case 'trailer-line-end':
            expect(byte, LF, 'trailer-start')
            break
          case 'end':
            expect(byte, LF, 'size')
            return at + 1
        }
      }
      return -1
    },
  }
}

function hexOf(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48
  const lower = byte | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}
