import { once } from 'node:events'
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, createServer as createNetServer, type Socket } from 'node:net'
import type { Certificate } from './certificate.ts'

// RFC 8446 section 5.1: the content type of a record that holds a handshake, which no HTTP method begins with.
const TLS_HANDSHAKE = 0x16

export interface Front {
  /** The server behind the plain connections; those over TLS have the same handler. It never listens itself. */
  readonly serverFactory: (handler: RequestListener) => Server
  listen(port: number, host: string): Promise<AddressInfo>
  /** Ends every connection, also those that hang or are kept alive. */
  close(): Promise<void>
}

/**
 * HTTP and TLS on one port, told apart by the first byte. The Embed SDK insists on https wherever it is told to go, and
 * everything else about a local Looker is easier without a certificate to trust.
 *
 * @param helloMilliseconds how long a connection may say nothing
 */
export function createFront(certificate: Certificate, helloMilliseconds = 10_000): Front {
  let plain: Server | undefined
  let secure: Server | undefined
  const sockets = new Set<Socket>()

  const front = createNetServer(socket => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    // A connection that breaks is its client's business, in or before a request.
    socket.on('error', () => socket.destroy())
    const giveUp = (): void => void socket.destroy()
    socket.setTimeout(helloMilliseconds, giveUp)
    socket.once('data', (first: Buffer) => {
      socket.setTimeout(0)
      socket.off('timeout', giveUp)
      socket.pause()
      socket.unshift(first)
      const server = first[0] === TLS_HANDSHAKE ? secure : plain
      server?.emit('connection', socket)
      process.nextTick(() => socket.resume())
    })
  })

  return {
    serverFactory(handler) {
      secure = createHttpsServer({ ...certificate, handshakeTimeout: helloMilliseconds }, handler)
      plain = createHttpServer(handler)
      return plain
    },
    async listen(port, host) {
      front.listen(port, host)
      await once(front, 'listening')
      const address = front.address()
      if (address === null || typeof address === 'string') {
        throw new Error('The emulated Looker does not listen on a port')
      }
      return address
    },
    async close() {
      const closed = once(front, 'close')
      front.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
