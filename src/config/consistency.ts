import type { Config } from './schema.ts'
import { isLoopback, unixSocketOf } from './values.ts'
import { itemsAt, textAt, valueAt } from './written.ts'

/**
 * What one key alone cannot tell. Takes what was written, right or not, so that a contradiction is told in the same
 * run as a misspelt key elsewhere.
 */
export function contradictionsIn(written: unknown): string[] {
  const issuers = itemsAt(written, 'issuers')
  return [
    ...repeated('issuers', 'name', issuers),
    ...repeated('issuers', 'issuer', issuers),
    ...repeated('grants', 'name', itemsAt(written, 'grants')),
    ...repeated('store.sealKeys', 'id', itemsAt(written, 'store', 'sealKeys')),
    ...issuers.flatMap(aboutIssuer),
    ...aboutListeners(written),
    ...aboutApp(written),
    ...itemsAt(written, 'rules').flatMap(aboutRule),
    ...aboutLooker(written, issuers.length),
    ...aboutEmbed(written),
    ...aboutRedis(written),
  ]
}

function repeated(path: string, key: string, entries: readonly unknown[]): string[] {
  const seen = new Map<string, number>()
  return entries.flatMap((entry, index) => {
    const value = textAt(entry, key)
    const first = value === undefined ? undefined : seen.get(value)
    if (first !== undefined)
      return [`${path}[${index}].${key}: is the same as ${path}[${first}].${key}; each needs its own`]
    if (value !== undefined) seen.set(value, index)
    return []
  })
}

function aboutIssuer(issuer: unknown, index: number): string[] {
  return valueAt(issuer, 'lookerOAuth') !== undefined && valueAt(issuer, 'login') === undefined
    ? [`issuers[${index}].lookerOAuth: needs login beside it, for only who signs in brings tokens that Looker can use`]
    : []
}

function aboutListeners(written: unknown): string[] {
  const listen = textAt(written, 'server', 'listen')
  return listen !== undefined && listen === textAt(written, 'server', 'admin') && !listen.endsWith(':0')
    ? ['server.admin: is the same as server.listen; give it a port that the ingress does not reach']
    : []
}

function aboutApp(written: unknown): string[] {
  return unixSocketOf(textAt(written, 'app', 'url') ?? '') !== undefined &&
    valueAt(written, 'app', 'caFile') !== undefined
    ? ['app.caFile: means nothing beside a unix socket, which has no TLS; drop it']
    : []
}

function aboutRule(rule: unknown, index: number): string[] {
  if (valueAt(rule, 'access') !== 'public') return []
  return ['groups', 'emails', 'claims']
    .filter(key => valueAt(rule, key) !== undefined)
    .map(
      key => `rules[${index}].${key}: means nothing beside access: public, which lets everybody in; drop one of them`,
    )
}

function aboutLooker(written: unknown, issuers: number): string[] {
  const problems: string[] = []
  if (/\/api(\/\d|\/?$)/.test(textAt(written, 'looker', 'url') ?? '')) {
    problems.push('looker.url: leave out /api/4.0, which Sallyport puts behind it')
  }
  const id = textAt(written, 'looker', 'externalUserId')
  if (id === undefined) return problems
  if (!/\{(subject|email|claim:[^{}]+)\}/.test(id)) {
    problems.push(
      'looker.externalUserId: everybody would be the same Looker user; use {subject}, {email} or {claim:NAME}',
    )
  } else if (issuers > 1 && !/\{(issuer|email)\}/.test(id)) {
    problems.push('looker.externalUserId: with several issuers two people could share an id; put {issuer} in it')
  }
  return problems
}

function aboutEmbed(written: unknown): string[] {
  const renewBefore = valueAt(written, 'looker', 'embed', 'renewBeforeSeconds')
  const length = valueAt(written, 'looker', 'embed', 'sessionLengthSeconds') ?? 3600
  return typeof renewBefore === 'number' && typeof length === 'number' && renewBefore >= length
    ? ['looker.embed.renewBeforeSeconds: no session would ever be joined; make it less than sessionLengthSeconds']
    : []
}

function aboutRedis(written: unknown): string[] {
  const redis = valueAt(written, 'store', 'redis')
  if (typeof redis !== 'object' || redis === null) return []
  const problems: string[] = []
  const ways = ['url', 'sentinels', 'cluster'].filter(key => valueAt(redis, key) !== undefined).length
  if (ways !== 1) problems.push('store.redis: give exactly one of url, sentinels and cluster')
  const url = textAt(redis, 'url')
  if (url !== undefined && !isRedisUrl(url)) {
    problems.push(
      'store.redis.url: is not a redis:// or rediss:// URL without a password; with one, write { fromEnv: NAME }',
    )
  }
  if (valueAt(redis, 'url') !== undefined && valueAt(redis, 'tls') === true) {
    problems.push('store.redis.tls: means nothing beside url; write the url with rediss:// for TLS')
  }
  if (itemsAt(written, 'store', 'sealKeys').length === 0) {
    problems.push(
      'store.sealKeys: is required with Redis; make a key with `openssl rand -base64 32` and name it as a secret',
    )
  }
  return problems
}

function isRedisUrl(text: string): boolean {
  return URL.canParse(text) && /^rediss?:$/.test(new URL(text).protocol) && new URL(text).password === ''
}

/** Choices that are allowed and should not last, or that are rarely meant. */
export function warningsAbout(config: Config): string[] {
  const warnings: string[] = []
  const upstreams = [
    ...config.issuers.map(({ issuer }, index) => [`issuers[${index}].issuer`, issuer] as const),
    ['looker.url', config.looker.url] as const,
    ['looker.webUrl', config.looker.webUrl] as const,
  ]
  for (const [path, url] of upstreams) {
    if (url?.startsWith('http:') === true && !isLoopback(url)) {
      warnings.push(
        `${path}: plain http: is allowed by allowInsecureHttp; tokens and secrets cross the network unencrypted`,
      )
    }
  }
  if (config.server.publicUrl.startsWith('http:') && !isLoopback(config.server.publicUrl)) {
    warnings.push('server.publicUrl: people reach this over plain http:; cookies and tokens can be read on the way')
  }
  if (config.store.redis === undefined) {
    warnings.push(
      'store.redis: absent; tokens are kept in this process’s memory, and every replica asks Looker for its own',
    )
  }
  if (config.store.sealKeys === undefined) {
    warnings.push('store.sealKeys: absent; the audit chain has no key, so it shows accidents and not forgery')
  }
  if (config.grants.length === 0) warnings.push('grants: none; nobody gets a Looker token')
  const { rules = [], grants } = config
  const everyPath = rules.findIndex(({ paths, methods }) => paths.includes('/**') && methods === undefined)
  if (everyPath !== -1 && everyPath < rules.length - 1) {
    warnings.push(`rules[${everyPath}]: decides for every path and method, so the rules behind it never do`)
  }
  const everybody = grants.findIndex(grant => (grant.groups ?? grant.emails ?? grant.claims) === undefined)
  if (everybody !== -1 && everybody < grants.length - 1) {
    warnings.push(`grants[${everybody}]: is everybody’s, so the grants behind it are nobody’s`)
  }
  return warnings
}

/** What the schema knows and this version does not do yet; `serve` refuses to start with any of it. */
export function unbuilt(config: Config): string[] {
  const later = 'is not built in this version; remove it to start'
  const found: string[] = []
  for (const [index, grant] of config.grants.entries()) {
    if (grant.operations !== undefined)
      found.push(`grants[${index}].operations: the gateway to the Looker API ${later}`)
  }
  return found
}
