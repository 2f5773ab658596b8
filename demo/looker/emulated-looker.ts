import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { createCallRecorder } from './call-recorder.ts'
import { type CallLog, createCallLog } from './calls.ts'
import type { Certificate } from './certificate.ts'
import { createTurnableClock, type TurnableClock } from './clock.ts'
import { addControl } from './control.ts'
import { createCors } from './cors.ts'
import { addInternalApi } from './embed/internal-api.ts'
import { addEmbedPages } from './embed/routes.ts'
import { createFaults, type Faults } from './faults.ts'
import { createFront } from './front.ts'
import { createInstance } from './instance.ts'
import { localCertificate } from './local-certificate.ts'
import type { OauthState } from './oauth-states.ts'
import { listOperations } from './operations/list.ts'
import { createServer } from './server.ts'
import type { EmbedSecret } from './signed-urls.ts'
import { createUserRegister, type UserRegister } from './user-register.ts'

const TOKEN_LIFE_SECONDS = 3600

export interface EmulatedLookerOptions {
  /** 0, the default, takes a free one. */
  readonly port?: number
  readonly host?: string
  /** Absent: one for this machine, made at the first run. */
  readonly certificate?: Certificate
  readonly clientId?: string
  readonly clientSecret?: string
  /** What self-signed embed URLs are signed with; hmac/sha-256 unless told otherwise, as at Looker. */
  readonly embedSecret?: string
  readonly embedAlgorithm?: EmbedSecret['algorithm']
  /** Origins let in over CORS and around iframes, as `embed_config.domain_allowlist` starts out. */
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
  /** The same host and port over TLS, as browsers' iframes need it. */
  readonly secureUrl: string
  /** PEM; it signs itself. */
  readonly certificate: string
  readonly embedSecret: string
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
  /** When the tokens lapse that a user has at a database through an OAuth application, in milliseconds since the epoch. */
  oauthState(userId: string, applicationId: string): OauthState | undefined
  /** Live access tokens, of one user or of all. */
  tokenCount(userId?: string): number
  /** Ends the tokens of one user, or of everybody; the next call with one is 401. */
  revokeTokens(userId?: string): void
  close(): Promise<void>
}

export async function startEmulatedLooker(options: EmulatedLookerOptions = {}): Promise<EmulatedLooker> {
  const { port = 0, host = '127.0.0.1', domainAllowlist = [], tokenLifeSeconds = TOKEN_LIFE_SECONDS } = options
  const clientId = options.clientId ?? randomBytes(10).toString('hex')
  const clientSecret = options.clientSecret ?? randomBytes(12).toString('hex')
  const embedSecret = options.embedSecret ?? randomBytes(32).toString('hex')
  const certificate = options.certificate ?? (await localCertificate())
  const clock = createTurnableClock(options.now)
  const instance = createInstance({
    now: clock.now,
    clientId,
    clientSecret,
    domainAllowlist,
    tokenLifeSeconds,
    embedSecret: { secret: embedSecret, algorithm: options.embedAlgorithm ?? 'hmac/sha-256' },
  })
  const calls = createCallLog()
  const faults = createFaults()
  const users = createUserRegister(instance)
  const front = createFront(certificate)
  const recorder = createCallRecorder(instance, calls, faults)
  const app = createServer({
    instance,
    operations: listOperations(instance, faults),
    recorder,
    faults,
    cors: createCors(() => instance.settings.embed.domain_allowlist),
    front,
  })
  addEmbedPages(app, { instance, recorder, faults })
  addInternalApi(app, { instance, recorder, faults })
  if (options.control === true) addControl(app, { calls, faults, users, clock, revokeTokens: instance.tokens.revoke })
  await app.ready()
  const authority = authorityOf(await front.listen(port, host))

  return {
    url: `http://${authority}`,
    secureUrl: `https://${authority}`,
    certificate: certificate.cert,
    embedSecret,
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
    oauthState: instance.oauthStates.get,
    tokenCount: instance.tokens.count,
    revokeTokens: instance.tokens.revoke,
    async close() {
      await front.close()
      await app.close()
    },
  }
}

function authorityOf({ family, address, port }: AddressInfo): string {
  return `${family === 'IPv6' ? `[${address}]` : address}:${port}`
}
