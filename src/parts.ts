import { randomBytes, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Agent } from 'undici'
import { AUDIT_KEY } from './audit/chain.ts'
import { type AuditLog, createAuditLog } from './audit/log.ts'
import { openFileSink } from './audit/file-sink.ts'
import { createOcsfWriter } from './audit/ocsf.ts'
import type { Config } from './config/schema.ts'
import type { SecretFiles } from './config/secret-source.ts'
import { unixSocketOf } from './config/values.ts'
import type { Clock } from './core/clock.ts'
import { Secret, type SecretSource } from './core/secret.ts'
import { identityFromClaims } from './identity/claims.ts'
import { createIssuer, type Issuer } from './identity/issuer.ts'
import type { LoginIssuer } from './identity/login-client.ts'
import { createLogoutTokens, type LogoutTokens } from './identity/logout-token.ts'
import { createSessions, type Sessions } from './identity/session.ts'
import { createSignIn, type SignIn } from './identity/sign-in.ts'
import type { LookerClient } from './looker/client.ts'
import { createEmbedSessions, type EmbedSessions } from './looker/embed-sessions.ts'
import { createEmbedUrls, type EmbedUrls } from './looker/embed-urls.ts'
import type { Limiter } from './looker/limiter.ts'
import { createTokenBroker, type TokenBroker } from './looker/token-broker.ts'
import { forLooker, type LookerOAuth } from './looker-oauth.ts'
import { createMemoryStore } from './store/memory-store.ts'
import { createRedisStore } from './store/redis-store.ts'
import { createSealer, derivedKey, type Sealer } from './store/seal.ts'
import { createSingleFlight } from './store/single-flight.ts'
import type { Store } from './store/store.ts'
import { createVault, type Vault } from './store/vault.ts'
import type { Log } from './telemetry/log.ts'
import type { Metrics } from './telemetry/metrics.ts'

export interface SallyportOptions {
  readonly config: Config
  readonly secrets: SecretFiles
  readonly version: string
  readonly log: Log
  readonly clock?: Clock
  /** Where audit lines go besides the file; standard output. */
  readonly print?: (text: Buffer) => void
}

/** Made-up opaque tokens are each asked about: a flood of them is not passed on whole. */
const MAX_ISSUER_CONNECTIONS = 32

export const constant = (value: string): SecretSource => {
  const secret = new Secret(value)
  return { current: () => secret }
}

/** @throws where nobody reads the output any more. */
function printOut(text: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, error => (error ? reject(error) : resolve()))
  })
}

export async function openAudit(
  { config, secrets, version, log, print }: SallyportOptions,
  metrics: Metrics,
): Promise<AuditLog> {
  const first = config.store.sealKeys?.[0]
  return createAuditLog({
    write: createOcsfWriter({ instance: randomUUID(), version }),
    print: async text => (print === undefined ? printOut(text) : print(text)),
    file: config.audit.file === undefined ? undefined : await openFileSink(config.audit.file),
    key: first === undefined ? undefined : derivedKey(secrets.source(first.key), AUDIT_KEY),
    onFailure: config.audit.onFailure,
    observe: metrics.audit,
    report: error => log.error({ err: error }, 'the audit log cannot be written'),
  })
}

export function openIssuer(
  issuer: Config['issuers'][number],
  { secrets, log }: SallyportOptions,
  metrics: Metrics,
  clock: Clock,
): Issuer {
  const { introspection } = issuer
  let lastError = ''
  return createIssuer({
    ...issuer,
    introspection: introspection && {
      clientId: introspection.clientId,
      clientSecret: secrets.source(introspection.clientSecret),
    },
    dispatcher: new Agent({ connections: MAX_ISSUER_CONNECTIONS, connect: { timeout: 5000, ...caOf(issuer.caFile) } }),
    clock,
    report(error) {
      if (error === undefined) {
        metrics.jwksFetched(issuer.name, clock.now() / 1000)
        if (lastError !== '') log.info({ issuer: issuer.name }, 'the issuer answers again')
        lastError = ''
        return
      }
      const trouble = error instanceof Error ? `${error.name} ${error.message}` : 'unknown'
      metrics.upstreamError('issuer', /timeout|abort/i.test(trouble) ? 'timeout' : 'unreachable')
      // The same trouble is told once, however often it is tried.
      if (trouble !== lastError) log.warn({ issuer: issuer.name, err: error }, 'the issuer cannot be used')
      lastError = trouble
    },
  })
}

export function openStore({ config, secrets, log }: SallyportOptions, metrics: Metrics, clock: Clock): Store {
  const { redis } = config.store
  if (redis === undefined) return createMemoryStore(clock)
  let away = false
  return createRedisStore({
    target:
      redis.sentinels !== undefined
        ? { kind: 'sentinels', nodes: redis.sentinels, name: redis.sentinelName }
        : redis.cluster !== undefined
          ? { kind: 'cluster', nodes: redis.cluster }
          : { kind: 'url', url: typeof redis.url === 'object' ? secrets.source(redis.url) : constant(redis.url ?? '') },
    username: redis.username,
    password: redis.password && secrets.source(redis.password),
    tls: redis.tls,
    caFile: redis.caFile,
    keyPrefix: redis.keyPrefix,
    commandTimeoutMilliseconds: redis.commandTimeoutMilliseconds,
    report(error) {
      if (error === undefined) log.info('Redis is used with its changed credentials')
      else log.warn({ err: error }, 'Redis cannot be used with its changed credentials; those before still count')
    },
    observe(command, seconds, error) {
      metrics.store(command, seconds)
      if (error !== undefined && !away) log.warn({ command, err: error }, 'Redis cannot be used')
      if (error === undefined && away) log.info('Redis can be used again')
      away = error !== undefined
    },
  })
}

/** Without keys in the configuration nothing leaves this process, and a key of its own will do. */
export function openSealer({ config, secrets }: SallyportOptions): Sealer {
  const { sealKeys } = config.store
  return createSealer(
    sealKeys === undefined
      ? [{ id: 'memory', key: constant(randomBytes(32).toString('base64')) }]
      : sealKeys.map(({ id, key }) => ({ id, key: secrets.source(key) })),
  )
}

export function openBroker(
  { config, log }: SallyportOptions,
  parts: { looker: LookerClient; vault: Vault; limiter: Limiter; metrics: Metrics; clock: Clock },
): TokenBroker {
  const { metrics, ...rest } = parts
  return createTokenBroker({
    ...rest,
    singleFlight: createSingleFlight(),
    waitSeconds: config.looker.timeoutSeconds,
    embedDomain: config.server.publicUrl,
    shared: config.store.redis !== undefined,
    observe: metrics.cache,
    report: (what, error) => log.warn({ err: error }, `${what} failed`),
  })
}

export function openEmbed(
  { config, secrets, log }: SallyportOptions,
  parts: { looker: LookerClient; vault: Vault; limiter: Limiter; clock: Clock },
): { sessions: EmbedSessions; urls: EmbedUrls } {
  const { url, webUrl = url, timeoutSeconds, embed } = config.looker
  const shared = {
    ...parts,
    waitSeconds: timeoutSeconds,
    embedDomain: config.server.publicUrl,
    sessionLengthSeconds: embed.sessionLengthSeconds,
  }
  return {
    sessions: createEmbedSessions({
      ...shared,
      singleFlight: createSingleFlight(),
      renewBeforeSeconds: embed.renewBeforeSeconds,
      report: (what, error) => log.warn({ err: error }, `${what} failed`),
    }),
    urls: createEmbedUrls({
      ...shared,
      webUrl,
      secret: embed.secret && secrets.source(embed.secret),
      algorithm: embed.algorithm,
    }),
  }
}

/** A socket has no origin: its URL names it. */
export function audienceOf({ app, server }: Config): string {
  if (app === undefined) return server.publicUrl
  return unixSocketOf(app.url) === undefined ? new URL(app.url).origin : app.url
}

export function caOf(file: string | undefined): { ca?: string } {
  return file === undefined ? {} : { ca: readFileSync(file, 'utf8') }
}

/** What people sign in with; undefined where no issuer offers it. */
export interface SignInParts {
  readonly signIn: SignIn
  readonly sessions: Sessions
  readonly logoutTokens: LogoutTokens
}

/** In memory. They take 10 minutes each at most, and the oldest go first. */
const MAX_SIGN_INS = 10_000

/** Where the issuer sends a browser back to, below the prefix. */
export const CALLBACK = '/callback'
export const SIGNED_OUT = '/signed-out'

export function openSignIn(
  options: SallyportOptions,
  parts: {
    issuers: readonly Issuer[]
    vault: Vault
    metrics: Metrics
    clock: Clock
    onTokens: LookerOAuth['renew']
  },
): SignInParts | undefined {
  const { config, secrets, log } = options
  const { vault, metrics, clock } = parts
  const issuers = config.issuers.flatMap(({ name, login, lookerOAuth }): LoginIssuer[] => {
    const issuer = parts.issuers.find(({ options }) => options.name === name)
    if (login === undefined || issuer === undefined) return []
    const clientSecret = login.clientSecret && secrets.source(login.clientSecret)
    return [{ issuer, login: { ...login, clientSecret }, forLooker: lookerOAuth && forLooker(name, log) }]
  })
  if (issuers.length === 0) return undefined
  const ownUrl = `${config.server.publicUrl}${config.server.prefix}`
  const signIn = createSignIn({
    issuers,
    // Anybody may begin a sign-in, as often as they like: in memory that must not push out anybody's session.
    vault:
      config.store.redis === undefined
        ? createVault({ store: createMemoryStore(clock, MAX_SIGN_INS), sealer: openSealer(options) })
        : vault,
    clock,
    callbackUrl: `${ownUrl}${CALLBACK}`,
    signedOutUrl: `${ownUrl}${SIGNED_OUT}`,
  })
  const { idleMinutes, absoluteHours } = config.session
  const sessions = createSessions({
    vault,
    clock,
    singleFlight: createSingleFlight(),
    idleMilliseconds: idleMinutes * 60_000,
    absoluteMilliseconds: absoluteHours * 3_600_000,
    identityOf(name, claims, expiresAt) {
      const issuer = issuers.find(entry => entry.issuer.options.name === name)?.issuer
      if (issuer === undefined) throw new Error('nobody signs in with this issuer any more')
      return identityFromClaims(claims, issuer.options, 'session', expiresAt)
    },
    refresh: signIn.refresh,
    onTokens: parts.onTokens,
    observe: metrics.session,
    report: (what, error) => log.warn({ err: error }, `${what} failed`),
  })
  return { signIn, sessions, logoutTokens: createLogoutTokens({ issuers, clock, vault }) }
}
