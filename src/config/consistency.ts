import { existsSync } from 'node:fs'
import type { Config } from './schema.ts'
import { isLoopback } from './values.ts'

/** What one key alone cannot tell: contradictions are problems, choices that should not last are warnings. */
export function inspectConfig(config: Config): { problems: string[]; warnings: string[] } {
  const problems: string[] = []
  const warnings: string[] = []

  const insecure = [
    ...config.issuers.map(issuer => issuer.issuer),
    config.looker.url,
    config.looker.webUrl ?? config.looker.url,
  ]
  for (const url of new Set(insecure)) {
    if (url.startsWith('http:') && !isLoopback(url)) {
      warnings.push(
        `${url}: plain http: is allowed by allowInsecureHttp; tokens and secrets cross the network unencrypted`,
      )
    }
  }
  if (config.server.publicUrl.startsWith('http:') && !isLoopback(config.server.publicUrl)) {
    warnings.push('server.publicUrl: people reach this over plain http:; cookies and tokens can be read on the way')
  }

  const caFiles = [
    ...config.issuers.map((issuer, index) => [`issuers[${index}].caFile`, issuer.caFile] as const),
    ['app.caFile', config.app?.caFile] as const,
    ['looker.caFile', config.looker.caFile] as const,
    ['store.redis.caFile', config.store.redis?.caFile] as const,
  ]
  for (const [path, file] of caFiles) {
    if (file !== undefined && !existsSync(file)) problems.push(`${path}: there is no file ${file}`)
  }

  unique('issuers', 'name', config.issuers, problems)
  unique('issuers', 'issuer', config.issuers, problems)
  unique('grants', 'name', config.grants, problems)
  unique('store.sealKeys', 'id', config.store.sealKeys ?? [], problems)

  const externalId = config.looker.externalUserId
  if (!/\{(subject|email|claim:[^{}]+)\}/.test(externalId)) {
    problems.push(
      'looker.externalUserId: everybody would be the same Looker user; use {subject}, {email} or {claim:NAME}',
    )
  } else if (config.issuers.length > 1 && !/\{(issuer|email)\}/.test(externalId)) {
    problems.push('looker.externalUserId: with several issuers two people could share an id; put {issuer} in it')
  }

  const { redis, sealKeys } = config.store
  if (redis === undefined) {
    warnings.push(
      'store.redis: absent; tokens are kept in this process’s memory, and every replica asks Looker for its own',
    )
  } else {
    const ways = [redis.url, redis.sentinels, redis.cluster].filter(way => way !== undefined).length
    if (ways !== 1) problems.push('store.redis: give exactly one of url, sentinels and cluster')
    if (typeof redis.url === 'string' && !isRedisUrl(redis.url)) {
      problems.push(
        'store.redis.url: is not a redis:// or rediss:// URL without a password; with one, write { fromEnv: NAME }',
      )
    }
    if (sealKeys === undefined) {
      problems.push(
        'store.sealKeys: is required with Redis; make a key with `openssl rand -base64 32` and name it as a secret',
      )
    }
  }
  if (sealKeys === undefined) {
    warnings.push('store.sealKeys: absent; the audit chain has no key, so it shows accidents and not forgery')
  }
  if (config.grants.length === 0) warnings.push('grants: none; nobody gets a Looker token')
  return { problems, warnings }
}

/** What the schema knows and this version does not do yet; `serve` refuses to start with any of it. */
export function unbuilt(config: Config): string[] {
  const later = 'is not built in this version; remove it to start'
  const found: string[] = []
  for (const [index, issuer] of config.issuers.entries()) {
    if (issuer.login !== undefined) found.push(`issuers[${index}].login: browser sign-in ${later}`)
  }
  if (config.session !== undefined) found.push(`session: browser sessions ${later}`)
  for (const [index, grant] of config.grants.entries()) {
    if (grant.operations !== undefined)
      found.push(`grants[${index}].operations: the gateway to the Looker API ${later}`)
  }
  return found
}

function isRedisUrl(text: string): boolean {
  return URL.canParse(text) && /^rediss?:$/.test(new URL(text).protocol) && new URL(text).password === ''
}

function unique<Key extends string>(
  path: string,
  key: Key,
  entries: readonly Record<Key, string>[],
  problems: string[],
): void {
  const seen = new Map<string, number>()
  for (const [index, entry] of entries.entries()) {
    const first = seen.get(entry[key])
    if (first === undefined) seen.set(entry[key], index)
    else problems.push(`${path}[${index}].${key}: is the same as ${path}[${first}].${key}`)
  }
}
