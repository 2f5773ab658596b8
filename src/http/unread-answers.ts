import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Ends connections on which nothing of what waits to be sent has gone out for a while. Node watches over what comes in and
 * `stream.ts` over an answer under way; one that has ended would stay for as long as its reader likes, and its audit event
 * with it, for that is written when the answer has gone out.
 * @param patience in milliseconds: how long, and how often to look. It is looked at now and then, so that a request costs nothing.
 */
export function endUnreadAnswers(server: Server, patience: { readonly body: number; readonly check: number }): void {
  const connections = new Map<Socket, { sent: number; since: number }>()
  server.on('connection', (socket: Socket) => {
    connections.set(socket, { sent: 0, since: 0 })
    socket.once('close', () => connections.delete(socket))
  })
  // The two ends of a WebSocket wait for each other for as long as they like.
  server.on('upgrade', (_request, socket: Socket) => connections.delete(socket))
  const look = (): void => {
    const now = performance.now()
    for (const [socket, seen] of connections) {
      const waiting = socket.writableLength
      const sent = socket.bytesWritten - waiting
      if (waiting === 0 || sent !== seen.sent) {
        seen.sent = sent
        seen.since = now
      } else if (now - seen.since >= patience.body) {
        socket.destroy()
      }
    }
  }
  const timer = setInterval(look, patience.check).unref()
  server.once('close', () => clearInterval(timer))
}
