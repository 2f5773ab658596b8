import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'

/** How long the other side may take over its part of an end. */
export const LINGER_MILLISECONDS = 5000

const upgraded = new WeakSet<IncomingMessage>()

/**
 * Whether a request asks for a WebSocket and for nothing else. Every other upgrade, h2c above all, is left unheard, which
 * RFC 9110 §7.8 allows: the request is then a plain one.
 */
export function asksForWebSocket({ method, headers, httpVersion }: IncomingMessage): boolean {
  return (
    method === 'GET' &&
    httpVersion === '1.1' &&
    headers.upgrade?.toLowerCase() === 'websocket' &&
    headers['content-length'] === undefined &&
    headers['transfer-encoding'] === undefined
  )
}

/** Whether this request's connection stops speaking HTTP once it is answered with 101. */
export function isUpgrade(request: IncomingMessage): boolean {
  return request.headers.upgrade !== undefined && upgraded.has(request)
}

/**
 * Sends upgrades the way of all requests, through the same hooks to the same routes. @fastify/http-proxy does this too, but
 * a client that resets its connection while a hook waits, or that sends an upgrade behind a request not yet answered, ends
 * the process there with an error that nobody hears.
 */
export function routeUpgrades(server: FastifyInstance): void {
  server.server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    socket.on('error', () => socket.destroy())
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    try {
      response.assignSocket(socket)
    } catch {
      // The answer to the request before this one still holds the connection.
      socket.destroy()
      return
    }
    // What Node does for answers to plain requests.
    socket.on('drain', () => response.emit('drain'))
    response.once('finish', () => {
      release(response, socket)
      endSoon(socket)
    })
    upgraded.add(request)
    if (head.length > 0) socket.unshift(head)
    // Nobody reads before there is an answer, and an end shows only to somebody who reads.
    const lookForEnd = (): void => {
      if (socket.readableLength === 0) socket.read()
    }
    socket.on('readable', lookForEnd)
    const leave = (): unknown => socket.destroy()
    socket.once('end', leave)
    response.once('close', () => socket.off('readable', lookForEnd).off('end', leave))
    server.routing(request, response)
  })
}

/** The request is over for those who wait for its response to close; the connection goes on without it. */
export function release(response: ServerResponse, socket: Socket): void {
  response.detachSocket(socket)
  response.emit('close')
}

/** What was written is still sent, what comes is dropped: a connection closed over bytes unread is reset, and its answer lost. */
export function endSoon(socket: Duplex): void {
  if (socket.destroyed) return
  socket.end()
  socket.resume()
  const late = setTimeout(() => socket.destroy(), LINGER_MILLISECONDS).unref()
  socket.once('close', () => clearTimeout(late))
}
