const CLOSE = 8

/** Knows where in a stream of WebSocket bytes (RFC 6455 §5.2) one frame ends and the next begins. It keeps none of them. */
export interface FrameFollower {
  /** Whether all that was followed is whole frames: a frame of ours may be put in here. */
  between(): boolean
  /** Whether the last frame was a Close. Nothing comes after it. */
  closed(): boolean
  /** Follows these bytes, to their end or to the end of the frame that has begun. Gives how many they were. */
  follow(chunk: Buffer, toEndOfFrame?: boolean): number
}

export function createFrameFollower(): FrameFollower {
  /** At most two bytes, eight of length and four of mask. */
  const head = Buffer.alloc(14)
  let headBytes = 0
  let payloadLeft = 0
  let opcode = 0
  const between = (): boolean => headBytes === 0 && payloadLeft === 0

  return {
    between,
    closed: () => opcode === CLOSE && between(),
    follow(chunk, toEndOfFrame = false) {
      let at = 0
      while (at < chunk.length) {
        if (payloadLeft > 0) {
          const passed = Math.min(payloadLeft, chunk.length - at)
          payloadLeft -= passed
          at += passed
        } else {
          head[headBytes++] = chunk[at++] ?? 0
          if (headBytes >= 2 && headBytes === headLength(head)) {
            opcode = head.readUInt8(0) & 0x0f
            payloadLeft = payloadLength(head)
            headBytes = 0
          }
        }
        if (toEndOfFrame && between()) break
      }
      return at
    },
  }
}

/** A Close frame that says why. @param masked as what a client sends has to be. */
export function closeFrame(code: number, masked: boolean): Buffer {
  const [high, low] = [code >> 8, code & 0xff]
  // A mask of zeros is a mask: it is there against proxies that would take a script's bytes for HTTP, and these are ours.
  return Buffer.from(masked ? [0x80 | CLOSE, 0x82, 0, 0, 0, 0, high, low] : [0x80 | CLOSE, 2, high, low])
}

function headLength(head: Buffer): number {
  const second = head.readUInt8(1)
  const length = second & 0x7f
  return 2 + (length === 127 ? 8 : length === 126 ? 2 : 0) + (second & 0x80 ? 4 : 0)
}

function payloadLength(head: Buffer): number {
  const length = head.readUInt8(1) & 0x7f
  if (length < 126) return length
  return length === 126 ? head.readUInt16BE(2) : head.readUInt32BE(2) * 2 ** 32 + head.readUInt32BE(6)
}
