import { Redis } from 'ioredis'

/** All keys and values of a Redis, as they are and as they would be dumped. */
export async function dumpRedis(url: string): Promise<{ keys: number; everything: string }> {
  const client = new Redis(url)
  try {
    const keys = await client.keysBuffer('*')
    const parts: Buffer[] = []
    for (const key of keys) {
      const [value, dump] = await Promise.all([client.getBuffer(key), client.dumpBuffer(key)])
      parts.push(key, value ?? Buffer.alloc(0), dump ?? Buffer.alloc(0))
    }
    return { keys: keys.length, everything: Buffer.concat(parts).toString('latin1') }
  } finally {
    client.disconnect()
  }
}

/** Every way in which these bytes could stand in a dump: as they are, hex, and base64 at each of its three offsets. */
export function spellings(text: string): string[] {
  const bytes = Buffer.from(text)
  const shifted = [0, 1, 2].flatMap(offset => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64url')
    // The first and last characters share bits with what stands beside them.
    const inner = encoded.slice(Math.ceil((offset * 4) / 3), -2)
    return [inner, inner.replaceAll('-', '+').replaceAll('_', '/')]
  })
  return [text, bytes.toString('hex'), bytes.toString('hex').toUpperCase(), ...shifted]
}
