import type { FastifyInstance } from 'fastify'
import { Agent } from 'undici'
import type { Config } from './config/schema.ts'
import { unixSocketOf } from './config/values.ts'
import { systemClock } from './core/clock.ts'
import { Refusal } from './core/failure.ts'
import type { Identity } from './core/identity.ts'
import { createAdminServer } from './http/admin.ts'
import { auditEventOf } from './http/audit-event.ts'
import { createClientAddress } from './http/client-address.ts'
import { createCookies } from './http/cookies.ts'
import type { Exchange } from './http/exchange.ts'
import { createTokenIssuer } from './http/routes/issue-token.ts'
import { createProxyServer } from './http/server.ts'
import { createUpstream, type Upstream } from './http/upstream/client.ts'
import { createAssertionSigner } from './identity/assertion.ts'
import { createBearerVerifier } from './identity/bearer.ts'
import { createLookerClient } from './looker/client.ts'
import { expiresIn } from './looker/lifetime.ts'
import { createLimiter } from './looker/limiter.ts'
import { openLookerOAuth } from './looker-oauth.ts'
import {
  audienceOf,
  caOf,
  constant,
  openAudit,
  openBroker,
  openEmbed,
  openIssuer,
  openSealer,
  openSignIn,
  openStore,
  type SallyportOptions,
} from './parts.ts'
import { compileGrants } from './policy/grants.ts'
import { compileRules } from './policy/rules.ts'
import { createVault } from './store/vault.ts'
import { createMetrics } from './telemetry/metrics.ts'

export interface Sallyport {
  readonly proxy: FastifyInstance
  readonly admin: FastifyInstance
  /** Resolves when every issuer's keys were had once. */
  readonly ready: Promise<unknown>
  /** Not ready from now on; it goes on serving, and connections are closed as their requests end. */
  stop(): void
  /** How many requests are under way. */
  underWay(): number
  /** Ends streams, then the listeners and all that is behind them; the audit log is written out. */
  close(): Promise<void>
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
    observe: metrics.looker,
    failed: reason => metrics.upstreamError('looker', reason),
  })
  const vault = createVault({ store, sealer: openSealer(options) })
  const limiter = createLimiter({ atOnce: config.looker.maxConcurrent, waitSeconds: config.looker.timeoutSeconds })
  const lookerOAuth = openLookerOAuth({ config, log, looker, vault, limiter, clock, scopeOf: grants.scopeOf })
  const browser = openSignIn(options, { issuers, vault, metrics, clock, onTokens: lookerOAuth.renew })
  const broker = openBroker(options, { looker, vault, limiter, metrics, clock })
  const embed = openEmbed(options, { looker, vault, limiter, clock })
  const assertion = createAssertionSigner({
    issuer: config.server.publicUrl,
    audience: audienceOf(config),
    vault,
    clock,
    report: error => log.warn({ err: error }, 'the keys of the identity assertion cannot be had'),
  })
  const appUpstream = config.app === undefined ? undefined : openApp(config.app)

  const { publicUrl, prefix } = config.server
  const trustedOrigins = new Set([publicUrl, ...config.cors.origins])
  const trustsOrigin = (origin: string): boolean => trustedOrigins.has(origin)
  let stopping = false
  /** What would never end by itself. */
  const endListeners = new Set<() => void>()
  const stop = (): void => {
    stopping = true
  }
  let ending = false
  const endStreams = (): void => {
    ending = true
    for (const listener of endListeners) listener()
    endListeners.clear()
  }
  let underWay = 0
  let closed: Promise<void> | undefined
  const commitAudit = async (exchange: Exchange, status: number): Promise<void> => {
    exchange.audited = true
    try {
      await audit.commit(auditEventOf(exchange, status))
    } catch (error) {
      // What was meant to be given was not: what became of it follows, under the same request id.
      exchange.audited = false
      throw error
    }
  }
  const report = (exchange: Exchange, error: unknown): void => {
    if (error instanceof Refusal && error.failure.kind === 'app-unavailable')
      metrics.upstreamError('app', error.failure.reason)
    const failure = error instanceof Refusal ? error.failure : undefined
    log.error({ requestId: exchange.requestId, route: exchange.route, failure, err: error }, 'a request failed')
  }

  const dropLookerTokens = async (exchange: Exchange, identity: Identity): Promise<void> => {
    const person = grants.personOf(identity)
    exchange.grant = person.grant
    exchange.lookerUserId = await broker.revoke(person, { requestId: exchange.requestId })
  }
  const dropLookerAccess = async (exchange: Exchange, identity: Identity): Promise<void> => {
    const { externalUserId } = grants.personOf(identity)
    const both = await Promise.allSettled([
      dropLookerTokens(exchange, identity),
      embed.sessions.end(externalUserId, { requestId: exchange.requestId }),
    ])
    for (const one of both) if (one.status === 'rejected') throw one.reason
  }
  const beforeHandOut = async (exchange: Exchange, identity: Identity, isNew: boolean): Promise<void> => {
    const { sessionId, lookerUserId, requestId } = exchange
    if (browser === undefined || sessionId === undefined) return
    if (lookerUserId !== undefined) {
      const started = performance.now()
      await lookerOAuth.bring(identity, lookerUserId, () => browser.sessions.tokensOf(sessionId), { requestId })
      exchange.upstreamMilliseconds += performance.now() - started
    }
    const { sessions } = browser
    // What was made just now would outlive a sign-out that this replica has not heard of.
    if ((await (isNew ? sessions.confirm(sessionId) : sessions.find(sessionId))) !== undefined) return
    // Several tabs that sign in at once end each other's former session.
    if (await sessions.wasReplaced(sessionId)) return
    // Signed out while Looker was asked: what was made since then was there too late to be dropped by that.
    await dropLookerAccess(exchange, identity).catch((error: unknown) => report(exchange, error))
    throw new Refusal({ kind: 'no-credentials' })
  }
  const issue = createTokenIssuer({
    scopeOf: grants.scopeOf,
    tokenFor: broker.tokenFor,
    beforeHandOut,
    expiresIn: (token, notAfter) => expiresIn(token, notAfter, clock.now()),
    observeRemaining: metrics.remaining,
  })

  const proxy = await createProxyServer({
    prefix,
    corsOrigins: config.cors.origins,
    clock,
    clientAddress: createClientAddress(config.server.trustedProxies),
    app:
      config.app === undefined || appUpstream === undefined
        ? undefined
        : {
            url: config.app.url,
            upstream: appUpstream,
            publicUrl,
            maxBodyBytes: config.server.maxBodyBytes,
            watch(exchange, ended) {
              const { identity, sessionId } = exchange
              if (identity === undefined) return () => {}
              if (sessionId !== undefined && browser !== undefined) return browser.sessions.watch(sessionId, ended)
              return atTime(identity.expiresAt - clock.now(), ended)
            },
            onEnding(listener) {
              if (ending) listener()
              else endListeners.add(listener)
              return () => endListeners.delete(listener)
            },
          },
    assertion,
    guard: {
      verify: token => verifier.verify(token),
      sessionOf: browser?.sessions.find,
      trustsOrigin,
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
    lookerWebUrl: config.looker.webUrl,
    lookerToken: {
      lookerUrl: config.looker.url,
      clock,
      issue,
      revoke: dropLookerTokens,
      commitAudit,
    },
    session: { grantOf: identity => grants.scopeOf(identity).grant },
    signIn: browser && {
      ...browser,
      prefix,
      site: new URL(publicUrl).host,
      cookies: createCookies(publicUrl),
      trustsOrigin,
      ensureAudit: audit.ensure,
      commitAudit,
      dropLookerAccess,
      report,
    },
    embed: {
      ...embed,
      clock,
      scopeOf: grants.scopeOf,
      personOf: grants.personOf,
      embedDomain: publicUrl,
      trustsOrigin,
      beforeHandOut,
      commitAudit,
    },
    onEnd(exchange, status) {
      underWay--
      const milliseconds = performance.now() - exchange.startedAt
      metrics.request(exchange.route, exchange.method, status, milliseconds / 1000)
      metrics.overhead(Math.max(0, milliseconds - exchange.upstreamMilliseconds) / 1000)
      if (!exchange.audited) audit.record(auditEventOf(exchange, status))
    },
    onBegin: () => void underWay++,
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
    stop,
    underWay: () => underWay,
    close: () => (closed ??= shutDown()),
  }

  async function shutDown(): Promise<void> {
    stop()
    endStreams()
    secrets.close()
    assertion.close()
    // A connection whose request began before the stop was never told to close; it would be kept for the next one.
    const idle = setInterval(() => proxy.server.closeIdleConnections(), IDLE_CHECK_MILLISECONDS)
    await Promise.all([proxy.close(), admin.close()])
    clearInterval(idle)
    // A refresh under way has spent the token it began with: it is let finish.
    await browser?.sessions.close()
    for (const issuer of issuers) issuer.close()
    await audit.close()
    appUpstream?.destroy()
    await Promise.all([store.close(), lookerAgent.close()])
  }
}

const IDLE_CHECK_MILLISECONDS = 50
/** Timers hold no more than 24 days. */
const LONGEST_TIMER_MILLISECONDS = 2 ** 31 - 1

function atTime(milliseconds: number, listener: () => void): () => void {
  const timer = setTimeout(listener, Math.min(Math.max(milliseconds, 0), LONGEST_TIMER_MILLISECONDS)).unref()
  return () => clearTimeout(timer)
}

function openApp(app: NonNullable<Config['app']>): Upstream {
  const socketPath = unixSocketOf(app.url)
  return createUpstream({
    origin: new URL(socketPath === undefined ? app.url : 'http://localhost'),
    socketPath,
    ...caOf(app.caFile),
    connectMilliseconds: Math.min(app.timeoutSeconds, 10) * 1000,
    answerMilliseconds: app.timeoutSeconds * 1000,
  })
}
