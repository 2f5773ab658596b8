import { randomBytes, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import { Agent, Pool } from 'undici'
import { AUDIT_KEY } from './audit/chain.ts'
import { type AuditLog, createAuditLog } from './audit/log.ts'
import { openFileSink } from './audit/file-sink.ts'
import { createOcsfWriter } from './audit/ocsf.ts'
import type { Config } from './config/schema.ts'
import type { SecretFiles } from './config/secret-source.ts'
import { type Clock, systemClock } from './core/clock.ts'
import { Refusal } from './core/failure.ts'
import { Secret, type SecretSource } from './core/secret.ts'
import { createAdminServer } from './http/admin.ts'
import { auditEventOf } from './http/audit-event.ts'
import { createClientAddress } from './http/client-address.ts'
import type { Exchange } from './http/exchange.ts'
import { createTokenIssuer } from './http/routes/issue-token.ts'
import { createProxyServer } from './http/server.ts'
import { createAssertionSigner } from './identity/assertion.ts'
import { createBearerVerifier } from './identity/bearer.ts'
import { createIssuer, type Issuer } from './identity/issuer.ts'
import { createLookerClient, type LookerClient } from './looker/client.ts'
import { expiresIn } from './looker/lifetime.ts'
import { createLimiter } from './looker/limiter.ts'
import { createTokenBroker, type TokenBroker } from './looker/token-broker.ts'
import { compileGrants } from './policy/grants.ts'
import { compileRules } from './policy/rules.ts'
import { createMemoryStore } from './store/memory-store.ts'
import { createRedisStore } from './store/redis-store.ts'
import { createSealer, deriveKey, type Sealer } from './store/seal.ts'
import { createSingleFlight } from './store/single-flight.ts'
import type { Store } from './store/store.ts'
import { createVault, type Vault } from './store/vault.ts'
import type { Log } from './telemetry/log.ts'
import { createMetrics, type Metrics } from './telemetry/metrics.ts'

export interface Sallyport {
  readonly proxy: FastifyInstance
  readonly admin: FastifyInstance
  /** Resolves when every issuer's keys were had once. */
  readonly ready: Promise<unknown>
  /** Not ready from now on; connections are closed as their requests end. */
  stop(): void
  /** How many requests are under way, and when the last one came in (`performance.now()`). */
  activity(): { underWay: number; lastAt: number }
  /** Ends the listeners and all that is behind them; the audit log is written out. */
  close(): Promise<void>
}

export interface SallyportOptions {
  readonly config: Config
  readonly secrets: SecretFiles
  readonly version: string
  readonly log: Log
  readonly clock?: Clock
  /** Where audit lines go besides the file; standard output. */
  readonly print?: (text: Buffer) => void
}

const constant = (value: string): SecretSource => {
  const secret = new Secret(value)
  return { current: () => secret }
}

/** Puts the parts together; the only place that knows all of them. Nothing listens yet. */
export async function createSallyport(options: SallyportOptions): Promise<Sallyport> {
  const { config, secrets, version, log, clock = systemClock } = options
  const metrics = createMetrics({
    version,
    issuers: config.issuers.map(({ name }) => name),
    rules: ['endpoint', ...(config.rules ?? []).map((_, index) => `rules[${index}]`)],
  })
  const audit = await openAudit(options, metrics)
  const issuers = config.issuers.map(issuer => openIssuer(issuer, options, metrics, clock))
  const verifier = createBearerVerifier({ issuers, clock })
  const rules = compileRules(config.rules)
  const grants = compileGrants(config.grants, config.looker.externalUserId)
  const store = openStore(options, metrics, clock)
  const lookerAgent = new Agent({
    connections: config.looker.maxConcurrent,
    connect: { timeout: 5000, ...caOf(config.looker.caFile) },
  })
  const looker = createLookerClient({
    url: config.looker.url,
    clientId:
      typeof config.looker.clientId === 'string'
        ? constant(config.looker.clientId)
        : secrets.source(config.looker.clientId),
    clientSecret: secrets.source(config.looker.clientSecret),
    timeoutSeconds: config.looker.timeoutSeconds,
    dispatcher: lookerAgent,
    clock,
    observe(operation, code, seconds) {
      metrics.looker(operation, code, seconds)
      if (code === 'error') metrics.upstreamError('looker', 'unreachable')
    },
  })
  const vault = createVault({ store, sealer: openSealer(options) })
  const broker = openBroker(options, { looker, vault, metrics, clock })
  const assertion = createAssertionSigner({
    issuer: config.server.publicUrl,
    audience: config.app === undefined ? config.server.publicUrl : new URL(config.app.url).origin,
    vault,
    clock,
    report: error => log.warn({ err: error }, 'the keys of the identity assertion cannot be had'),
  })
  const appPool = config.app === undefined ? undefined : openApp(config.app)

  let stopping = false
  let underWay = 0
  let lastAt = performance.now()
  let closed: Promise<void> | undefined
  const commitAudit = (exchange: Exchange, status: number): Promise<void> => {
    exchange.audited = true
    return audit.commit(auditEventOf(exchange, status))
  }
  const issue = createTokenIssuer({
    scopeOf: grants.scopeOf,
    tokenFor: broker.tokenFor,
    expiresIn: (token, notAfter) => expiresIn(token, notAfter, clock.now()),
    observeRemaining: metrics.remaining,
  })
  const report = (exchange: Exchange, error: unknown): void => {
    if (error instanceof Refusal && error.failure.kind === 'app-unavailable')
      metrics.upstreamError('app', error.failure.reason)
    const failure = error instanceof Refusal ? error.failure : undefined
    log.error({ requestId: exchange.requestId, route: exchange.route, failure, err: error }, 'a request failed')
  }

  const proxy = await createProxyServer({
    prefix: config.server.prefix,
    corsOrigins: config.cors.origins,
    clock,
    clientAddress: createClientAddress(config.server.trustedProxies),
    app:
      config.app === undefined || appPool === undefined
        ? undefined
        : {
            url: config.app.url,
            dispatcher: appPool,
            publicUrl: config.server.publicUrl,
            maxBodyBytes: config.server.maxBodyBytes,
          },
    assertion,
    guard: {
      verify: token => verifier.verify(token),
      appRule: ({ method, target }) => rules(method, target?.path ?? ''),
      ensureAudit: audit.ensure,
      observeAuth: metrics.auth,
      observeDecision: metrics.decision,
    },
    tokenExchange: {
      lookerUrl: config.looker.url,
      verify: (token, asIdToken) => verifier.verify(token, asIdToken),
      grantOf: identity => grants.scopeOf(identity).grant,
      issue,
      commitAudit,
      ensureAudit: audit.ensure,
      observe: metrics.exchange,
      report,
    },
    lookerToken: {
      lookerUrl: config.looker.url,
      clock,
      issue,
      async revoke(exchange, identity) {
        const scope = grants.scopeOf(identity)
        exchange.grant = scope.grant
        exchange.lookerUserId = await broker.revoke(scope, { requestId: exchange.requestId })
      },
      commitAudit,
    },
    session: { grantOf: identity => grants.scopeOf(identity).grant },
    onEnd(exchange, status) {
      underWay--
      const milliseconds = performance.now() - exchange.startedAt
      metrics.request(exchange.route, exchange.method, status, milliseconds / 1000)
      metrics.overhead(Math.max(0, milliseconds - exchange.upstreamMilliseconds) / 1000)
      if (!exchange.audited) audit.record(auditEventOf(exchange, status))
    },
    onBegin() {
      underWay++
      lastAt = performance.now()
    },
    report,
    stopping: () => stopping,
  })

  const admin = createAdminServer({
    version,
    render: metrics.render,
    notReady: () => [
      ...(stopping ? ['the process is stopping'] : []),
      ...(issuers.some(issuer => issuer.keys.fresh()) ? [] : ['no issuer’s keys could be fetched yet']),
    ],
  })
  for (const issuer of issuers) issuer.start()
  assertion.start()
  secrets.watch(({ file, error }) => {
    if (error === undefined) log.info({ file }, 'a secret was read again')
    else log.warn({ file, error }, 'a secret file cannot be used; the value before it still counts')
  })

  return {
    proxy,
    admin,
    ready: Promise.all(issuers.map(issuer => issuer.loaded)),
    stop() {
      stopping = true
    },
    activity: () => ({ underWay, lastAt }),
    close: () => (closed ??= shutDown()),
  }

  async function shutDown(): Promise<void> {
    stopping = true
    secrets.close()
    for (const issuer of issuers) issuer.close()
    assertion.close()
    await Promise.all([proxy.close(), admin.close()])
    await audit.close()
    await Promise.all([store.close(), lookerAgent.close(), appPool?.destroy()])
  }
}

async function openAudit(
  { config, secrets, version, log, print }: SallyportOptions,
  metrics: Metrics,
): Promise<AuditLog> {
  const first = config.store.sealKeys?.[0]
  return createAuditLog({
    write: createOcsfWriter({ instance: randomUUID(), version }),
    print: print ?? (text => void process.stdout.write(text)),
    canPrint: () => print !== undefined || process.stdout.writable,
    file: config.audit.file === undefined ? undefined : await openFileSink(config.audit.file),
    key: first === undefined ? undefined : deriveKey(secrets.source(first.key).current(), AUDIT_KEY),
    onFailure: config.audit.onFailure,
    observe: metrics.audit,
    report: error => log.error({ err: error }, 'the audit log cannot be written'),
  })
}

function openIssuer(
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
    dispatcher: new Agent({ connect: { timeout: 5000, ...caOf(issuer.caFile) } }),
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

function openStore({ config, secrets, log }: SallyportOptions, metrics: Metrics, clock: Clock): Store {
  const { redis } = config.store
  if (redis === undefined) return createMemoryStore(clock)
  let away = false
  return createRedisStore({
    target:
      redis.sentinels !== undefined
        ? { kind: 'sentinels', nodes: redis.sentinels, name: redis.sentinelName }
        : redis.cluster !== undefined
          ? { kind: 'cluster', nodes: redis.cluster }
          : {
              kind: 'url',
              url: typeof redis.url === 'object' ? secrets.source(redis.url).current() : new Secret(redis.url ?? ''),
            },
    username: redis.username,
    password: redis.password && secrets.source(redis.password).current(),
    tls: redis.tls,
    caFile: redis.caFile,
    keyPrefix: redis.keyPrefix,
    commandTimeoutMilliseconds: redis.commandTimeoutMilliseconds,
    observe(command, seconds, error) {
      metrics.store(command, seconds)
      if (error !== undefined && !away) log.warn({ command, err: error }, 'Redis cannot be used')
      if (error === undefined && away) log.info('Redis can be used again')
      away = error !== undefined
    },
  })
}

/** Without keys in the configuration nothing leaves this process, and a key of its own will do. */
function openSealer({ config, secrets }: SallyportOptions): Sealer {
  const { sealKeys } = config.store
  return createSealer(
    sealKeys === undefined
      ? [{ id: 'memory', key: constant(randomBytes(32).toString('base64')) }]
      : sealKeys.map(({ id, key }) => ({ id, key: secrets.source(key) })),
  )
}

function openBroker(
  { config, log }: SallyportOptions,
  parts: { looker: LookerClient; vault: Vault; metrics: Metrics; clock: Clock },
): TokenBroker {
  const { looker, vault, metrics, clock } = parts
  return createTokenBroker({
    looker,
    vault,
    limiter: createLimiter({ atOnce: config.looker.maxConcurrent, waitSeconds: config.looker.timeoutSeconds }),
    singleFlight: createSingleFlight(),
    clock,
    waitSeconds: config.looker.timeoutSeconds,
    embedDomain: config.server.publicUrl,
    shared: config.store.redis !== undefined,
    observe: metrics.cache,
    report: (what, error) => log.warn({ err: error }, `${what} failed`),
  })
}

function openApp(app: NonNullable<Config['app']>): Pool {
  return new Pool(new URL(app.url).origin, {
    connections: 512,
    pipelining: 1,
    headersTimeout: app.timeoutSeconds * 1000,
    // An answer may take its time between two pieces: event streams do.
    bodyTimeout: 0,
    connect: { timeout: Math.min(app.timeoutSeconds, 10) * 1000, ...caOf(app.caFile) },
  })
}

function caOf(file: string | undefined): { ca?: string } {
  return file === undefined ? {} : { ca: readFileSync(file, 'utf8') }
}
