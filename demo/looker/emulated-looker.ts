import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { type CallLog, createCallLog } from './calls.ts'
import { createTurnableClock, type TurnableClock } from './clock.ts'
import { addControl } from './control.ts'
import { createCors } from './cors.ts'
import { createFaults, type Faults } from './faults.ts'
import { createInstance } from './instance.ts'
import { listOperations } from './operations/list.ts'
import { createServer } from './server.ts'
import { createSignedUrls } from './signed-urls.ts'
import { createUserRegister, type UserRegister } from './user-register.ts'

const TOKEN_LIFE_SECONDS = 3600

export interface EmulatedLookerOptions {
  /** 0, the default, takes a free one. */
  readonly port?: number
  readonly host?: string
  /** PEM; absent: plain HTTP. */
  readonly tls?: { readonly key: string; readonly cert: string }
  readonly clientId?: string
  readonly clientSecret?: string
  /** Origins let in over CORS, as `embed_config.domain_allowlist` starts out. */
  readonly domainAllowlist?: readonly string[]
  readonly tokenLifeSeconds?: number
  /** Milliseconds since the epoch. */
  readonly now?: () => number
  /** Opens `/__emulator/`, which lets anybody steer this instance. */
  readonly control?: boolean
}

export interface EmulatedLooker {
  /** Origin, without a slash at the end and without `/api/4.0`. */
  readonly url: string
  readonly clientId: string
  readonly clientSecret: string
  /** The administrator the credentials belong to. */
  readonly serviceUserId: string
  readonly calls: CallLog
  readonly faults: Faults
  readonly users: UserRegister
  readonly clock: TurnableClock
  /** Live embed sessions: how many, and whether a user has one. */
  readonly sessions: { count(): number; has(userId: string): boolean }
  /** Live access tokens, of one user or of all. */
  tokenCount(userId?: string): number
  /** Ends the tokens of one user, or of everybody; the next call with one is 401. */
  revokeTokens(userId?: string): void
  close(): Promise<void>
}

export async function startEmulatedLooker(options: EmulatedLookerOptions = {}): Promise<EmulatedLooker> {
  const { port = 0, host = '127.0.0.1', tls, domainAllowlist = [], tokenLifeSeconds = TOKEN_LIFE_SECONDS } = options
  const clientId = options.clientId ?? randomBytes(10).toString('hex')
  const clientSecret = options.clientSecret ?? randomBytes(12).toString('hex')
  const clock = createTurnableClock(options.now)
  const instance = createInstance({ now: clock.now, clientId, clientSecret, domainAllowlist, tokenLifeSeconds })
  const calls = createCallLog()
  const faults = createFaults()
  const users = createUserRegister(instance)
  const app = createServer({
    instance,
    operations: listOperations(instance, faults, createSignedUrls(clock.now)),
    calls,
    faults,
    cors: createCors(() => instance.settings.embed.domain_allowlist),
    tls,
  })
  if (options.control === true) addControl(app, { calls, faults, users, clock, revokeTokens: instance.tokens.revoke })
  await app.listen({ port, host })

  return {
    url: originOf(app.server.address(), tls === undefined ? 'http' : 'https'),
    clientId,
    clientSecret,
    serviceUserId: instance.serviceUser.id,
    calls,
    faults,
    users,
    clock,
    sessions: {
      count: instance.sessions.count,
      has: userId => instance.sessions.currentOf(userId) !== undefined,
    },
    tokenCount: instance.tokens.count,
    revokeTokens: instance.tokens.revoke,
    async close() {
      // Hung and kept-alive connections would hold the close up for ever.
      app.server.closeAllConnections()
      await app.close()
    },
  }
}

function originOf(address: AddressInfo | string | null, scheme: string): string {
  if (address === null || typeof address === 'string') throw new Error('The emulated Looker does not listen on a port')
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `${scheme}://${host}:${address.port}`
}
