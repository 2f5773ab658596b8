import type { Identity } from '../core/identity.ts'
import type { AuditEvent } from './event.ts'

const CLASSES = {
  authentication: {
    uid: 3002,
    name: 'Authentication',
    category: 3,
    activities: { logon: 1, logoff: 2, 'service-ticket': 4 },
  },
  api: { uid: 6003, name: 'API Activity', category: 6, activities: { create: 1, read: 2, update: 3, delete: 4 } },
} as const
const OTHER = 99

/** OCSF 1.3: informational for what was let in, medium for a refusal, high for a failure of ours. */
const OUTCOMES = {
  allowed: { action: 1, name: 'Allowed', severity: 1, status: 1 },
  denied: { action: 2, name: 'Denied', severity: 3, status: 2 },
  failed: { action: 99, name: 'Failed', severity: 4, status: 2 },
} as const

export interface OcsfWriter {
  /** The event as a JSON object in the schema of OCSF 1.3, without its closing brace: the chain is put behind it. */
  (event: AuditEvent, sequence: number): string
}

/**
 * Writes the text directly: this runs for every request, and most of an event is either constant or the same for
 * all of a person's requests.
 */
export function createOcsfWriter(options: { instance: string; version: string }): OcsfWriter {
  const metadata =
    `"metadata":{"version":"1.3.0","product":{"name":"Sallyport","vendor_name":"Sallyport",` +
    `"version":${JSON.stringify(options.version)}},"uid":"${options.instance}-`
  const heads = new Map<string, string>()
  const actors = new WeakMap<Identity, { actor: string; user: string }>()

  const headOf = ({ category, activity, decision }: AuditEvent): string => {
    const key = `${category} ${activity} ${decision}`
    const known = heads.get(key)
    if (known !== undefined) return known
    const { uid, name, category: categoryUid, activities } = CLASSES[category]
    const activityId = (activities as Partial<Record<string, number>>)[activity] ?? OTHER
    const outcome = OUTCOMES[decision]
    const head =
      `"class_uid":${uid},"class_name":"${name}","category_uid":${categoryUid},"activity_id":${activityId},` +
      `"activity_name":"${activity}","type_uid":${uid * 100 + activityId},"severity_id":${outcome.severity},` +
      `"status_id":${outcome.status},"action_id":${outcome.action},"action":"${outcome.name}",`
    heads.set(key, head)
    return head
  }
  const actorOf = (identity: Identity): { actor: string; user: string } => {
    const known = actors.get(identity)
    if (known !== undefined) return known
    const user = { uid: identity.subject, email_addr: identity.email, name: identity.name, domain: identity.issuer }
    const text = {
      actor: `"actor":${JSON.stringify({ user, idp: { name: identity.issuer, uid: identity.issuerUrl } })},`,
      // The class 3002 names its user once more.
      user: `"user":${JSON.stringify(user)},`,
    }
    actors.set(identity, text)
    return text
  }

  const whoOf = ({ identity, category }: AuditEvent): string => {
    if (identity === undefined) return `"actor":{"user":{"uid":"","name":"anonymous"}},`
    const { actor, user } = actorOf(identity)
    return category === 'authentication' ? actor + user : actor
  }

  return (event, sequence) => {
    const unmapped =
      `"decision":"${event.decision}"` +
      (event.rule === undefined ? '' : `,"rule":${JSON.stringify(event.rule)}`) +
      (event.grant === undefined ? '' : `,"grant":${JSON.stringify(event.grant)}`) +
      (event.lookerUserId === undefined ? '' : `,"looker_user_id":${JSON.stringify(event.lookerUserId)}`)
    return (
      `{"stream":"audit","time":${event.time},${headOf(event)}` +
      `"status_code":"${event.status}","status_detail":"${event.reason}","duration":${event.durationMilliseconds},` +
      `${metadata}${sequence}","correlation_uid":"${event.requestId}","sequence":${sequence}},` +
      whoOf(event) +
      `"src_endpoint":{"ip":"${event.sourceIp}"},"api":{"operation":${JSON.stringify(event.operation)}},` +
      `"resources":[{"type":"${event.resource.type}","name":${JSON.stringify(event.resource.name)}}],"unmapped":{${unmapped}}`
    )
  }
}
