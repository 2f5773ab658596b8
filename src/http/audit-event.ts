import type { AuditEvent } from '../audit/event.ts'
import type { Exchange } from './exchange.ts'

const API_ACTIVITIES: Readonly<Record<string, AuditEvent['activity']>> = {
  GET: 'read',
  HEAD: 'read',
  POST: 'create',
  PUT: 'update',
  PATCH: 'update',
  DELETE: 'delete',
}

/** What an exchange has to say to an auditor. Paths are in it; query strings, headers and bodies never are. */
export function auditEventOf(exchange: Exchange, status: number): AuditEvent {
  const { route, method, target, identity } = exchange
  const path = target?.path ?? ''
  const isToken = route === 'token' || route === 'looker_token'
  return {
    category: isToken ? 'authentication' : 'api',
    activity: isToken ? (method === 'DELETE' ? 'logoff' : 'service-ticket') : (API_ACTIVITIES[method] ?? 'other'),
    time: exchange.time,
    requestId: exchange.requestId,
    identity,
    sourceIp: exchange.sourceIp,
    operation: `${method} ${path}`,
    resource: isToken
      ? { type: 'looker_token', name: identity?.subject ?? '' }
      : { type: route === 'app' || route === 'check' ? 'app_path' : 'endpoint', name: path },
    rule: exchange.rule,
    grant: exchange.grant,
    decision: exchange.decision,
    reason: exchange.reason,
    status,
    lookerUserId: exchange.lookerUserId,
    durationMilliseconds: Math.round(performance.now() - exchange.startedAt),
  }
}
