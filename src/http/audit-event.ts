import type { AuditEvent } from '../audit/event.ts'
import type { Exchange, Route } from './exchange.ts'

const API_ACTIVITIES: Readonly<Record<string, AuditEvent['activity']>> = {
  GET: 'read',
  HEAD: 'read',
  POST: 'create',
  PUT: 'update',
  PATCH: 'update',
  DELETE: 'delete',
}

const RESOURCES: Partial<Record<Route, string>> = {
  app: 'app_path',
  check: 'app_path',
  embed_session: 'looker_embed_session',
  embed_tokens: 'looker_embed_session',
  embed_url: 'looker_embed_url',
}

/** OCSF puts what begins or ends a person's access under authentication, and all else under API activity. */
const AUTHENTICATION: Partial<Record<Route, AuditEvent['activity']>> = {
  token: 'service-ticket',
  looker_token: 'service-ticket',
  login: 'logon',
  callback: 'logon',
  logout: 'logoff',
  backchannel_logout: 'logoff',
}

/** What an exchange has to say to an auditor. Paths are in it; query strings, headers and bodies never are. */
export function auditEventOf(exchange: Exchange, status: number): AuditEvent {
  const { route, method, target, identity } = exchange
  const path = target?.path ?? ''
  const activity = AUTHENTICATION[route]
  const isToken = activity === 'service-ticket'
  return {
    category: activity === undefined ? 'api' : 'authentication',
    activity: isToken && method === 'DELETE' ? 'logoff' : (activity ?? API_ACTIVITIES[method] ?? 'other'),
    time: exchange.time,
    requestId: exchange.requestId,
    identity,
    sourceIp: exchange.sourceIp,
    operation: `${method} ${path}`,
    resource: isToken
      ? { type: 'looker_token', name: identity?.subject ?? '' }
      : { type: RESOURCES[route] ?? 'endpoint', name: path },
    rule: exchange.rule,
    grant: exchange.grant,
    decision: exchange.decision,
    reason: exchange.reason,
    status,
    lookerUserId: exchange.lookerUserId,
    durationMilliseconds: Math.round(performance.now() - exchange.startedAt),
  }
}
