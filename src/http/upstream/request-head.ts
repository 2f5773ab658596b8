import type { UpstreamCall } from './connection.ts'
import { isField, isToken } from './field.ts'

/** Nothing that could end it. */
const TARGET = /^[\x21-\xff]+$/

/** A server may insist on a length where these have no body (RFC 9110 §8.6), and reads it where there is one. */
const METHODS_WITH_BODY = new Set(['POST', 'PUT', 'PATCH'])

/**
 * Whether the connection is to end with this request: the body of a GET, which some servers leave unread, they take for the
 * next request, and what some send behind the head of a HEAD we would take for the next answer.
 */
export function isLastRequest({ method, body, webSocket }: UpstreamCall): boolean {
  return webSocket || method === 'HEAD' || (body !== undefined && !METHODS_WITH_BODY.has(method))
}

/**
 * The head of a request, as Latin-1.
 * @param ownHost for a request that names none.
 * @throws {Error} where a part of it would not stay within its bounds, or its length is not that of the body.
 */
export function requestHead(call: UpstreamCall, ownHost: string): string {
  const { method, path, headers, ownHeaders, body, bodyLength } = call
  if (!isToken(method) || !TARGET.test(path)) throw new Error('the request line cannot be sent')
  let host = ownHost
  let hasLength = false
  let fields = ''
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string
    const value = headers[index + 1] as string
    if (!isField(name, value)) throw new Error('a header cannot be sent')
    if (name.length === 4 && name.toLowerCase() === 'host') {
      host = value
      continue
    }
    if (name.length === 14 && name.toLowerCase() === 'content-length') hasLength = true
    fields += `${name}: ${value}\r\n`
  }
  if (body !== undefined && hasLength !== (bodyLength !== undefined)) {
    throw new Error('the body has another length than the head')
  }
  if (body !== undefined && bodyLength === undefined) fields += 'Transfer-Encoding: chunked\r\n'
  else if (body === undefined && !hasLength && METHODS_WITH_BODY.has(method)) fields += 'Content-Length: 0\r\n'
  return `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${connectionOf(call)}${fields}${ownHeaders}\r\n`
}

function connectionOf(call: UpstreamCall): string {
  if (call.webSocket) return 'Connection: upgrade\r\nUpgrade: websocket\r\n'
  return isLastRequest(call) ? 'Connection: close\r\n' : ''
}
