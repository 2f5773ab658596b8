import { connect as connectPlain, isIP } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { Refusal } from '../../core/failure.ts'
import { type Connection, type ConnectionOptions, createConnection, type UpstreamCall } from './connection.ts'
import { requestHead } from './request-head.ts'

export interface UpstreamOptions {
  /** Where it is: `http:` or `https:`; a path is not looked at. */
  readonly origin: URL
  /** Of a socket; the origin then only names the host. */
  readonly socketPath?: string | undefined
  /** PEM; without it, the CAs that Node trusts. */
  readonly ca?: string | undefined
  readonly connectMilliseconds: number
  /** To the first byte of an answer, once the upstream has the whole request. */
  readonly answerMilliseconds: number
}

/** A call and its connection. */
export interface Turn {
  readonly call: UpstreamCall
  readonly head: string
  connection: Connection | undefined
  cancelled: boolean
}

export interface Upstream {
  /**
   * Sends a request, on a connection of its own for as long as it takes. Nothing is ever repeated.
   * @throws {Error} for a head that cannot be sent as it is.
   */
  send(call: UpstreamCall): Turn
  /** These three are without effect once the answer is over. */
  pause(turn: Turn): void
  resume(turn: Turn): void
  /** Nobody wants it any more: its connection ends, and the call hears of nothing. */
  cancel(turn: Turn): void
  /** Ends all connections; calls under way fail. */
  destroy(): void
}

const KEEP_ALIVE_MILLISECONDS = 60_000
const MAX_LOOK_MILLISECONDS = 500

/**
 * Connections to one upstream, as many as there are requests under way: one that waited for another would have no deadline.
 * Of the idle ones the last used goes first, so that those that are too many lapse.
 */
export function createUpstream(options: UpstreamOptions): Upstream {
  const { connectMilliseconds, answerMilliseconds } = options
  const open = opener(options)
  const all = new Set<{ readonly connection: Connection; dueAt: number }>()
  const idle: Connection[] = []
  let destroyed = false

  // One timer for all: a request would set two. What is due is looked for this often, and counted in looks.
  const lookMilliseconds = Math.min(MAX_LOOK_MILLISECONDS, connectMilliseconds / 8, answerMilliseconds / 8)
  let looks = 0
  let timer: NodeJS.Timeout | undefined
  const look = (): void => {
    looks++
    for (const { connection, dueAt } of all) if (looks >= dueAt) connection.expire()
  }

  const add = (): Connection => {
    const { socket, connected } = open()
    socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MILLISECONDS)
    const connection = createConnection({
      socket,
      connected,
      connectMilliseconds,
      answerMilliseconds,
      due(milliseconds) {
        entry.dueAt =
          milliseconds === 0 ? Number.POSITIVE_INFINITY : looks + 1 + Math.ceil(milliseconds / lookMilliseconds)
      },
      onIdle: () => idle.push(connection),
      onGone() {
        all.delete(entry)
        const at = idle.indexOf(connection)
        if (at !== -1) idle.splice(at, 1)
        if (all.size > 0) return
        clearInterval(timer)
        timer = undefined
      },
    })
    const entry = { connection, dueAt: Number.POSITIVE_INFINITY }
    all.add(entry)
    timer ??= setInterval(look, lookMilliseconds).unref()
    return connection
  }

  const begin = (turn: Turn): void => {
    if (turn.cancelled) return
    try {
      if (destroyed) throw new Error('the process ends')
      turn.connection = (turn.call.webSocket ? undefined : idle.pop()) ?? add()
      turn.connection.send(turn.head, turn.call)
    } catch (cause) {
      turn.call.onError(new Refusal({ kind: 'app-unavailable', reason: 'unreachable' }, { cause }))
    }
  }
  const turns: Turn[] = []
  const beginAll = (): void => {
    for (const turn of turns.splice(0)) begin(turn)
  }

  return {
    // Not before all is heard that has come by now: an idle connection may have ended, or said what nobody asked for.
    send(call) {
      const turn: Turn = { call, head: requestHead(call, options.origin.host), connection: undefined, cancelled: false }
      if (turns.push(turn) === 1) setImmediate(beginAll)
      return turn
    },
    pause: ({ connection, call }) => connection?.pause(call),
    resume: ({ connection, call }) => connection?.resume(call),
    cancel(turn) {
      turn.cancelled = true
      turn.connection?.cancel(turn.call)
    },
    destroy() {
      destroyed = true
      for (const { connection } of all) connection.destroy()
    },
  }
}

/** What makes a socket, and the event that says it may be used. */
function opener({ origin, socketPath, ca }: UpstreamOptions): () => Pick<ConnectionOptions, 'socket' | 'connected'> {
  if (socketPath !== undefined) return () => ({ socket: connectPlain({ path: socketPath }), connected: 'connect' })
  const host = origin.hostname.replace(/^\[|\]$/g, '')
  if (origin.protocol !== 'https:') {
    const port = Number(origin.port || 80)
    return () => ({ socket: connectPlain({ host, port }), connected: 'connect' })
  }
  const port = Number(origin.port || 443)
  let session: Buffer | undefined
  return () => {
    const socket = connectTls({
      host,
      port,
      // RFC 6066 §3: an address is no name.
      servername: isIP(host) === 0 ? host : '',
      ALPNProtocols: ['http/1.1'],
      ...(ca === undefined ? {} : { ca }),
      ...(session === undefined ? {} : { session }),
    })
    socket.on('session', given => (session = given))
    return { socket, connected: 'secureConnect' }
  }
}
