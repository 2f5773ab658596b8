import type { Identity } from '../core/identity.ts'

/** What happened, as Sallyport says it; `ocsf.ts` says it as OCSF. */
export interface AuditEvent {
  /** OCSF class: `authentication` (3002) for login, logout and exchange, `api` (6003) for the app, embed and gateway. */
  readonly category: 'authentication' | 'api'
  /** The activity within the class, in the words of OCSF 1.3. */
  readonly activity: 'logon' | 'logoff' | 'service-ticket' | 'create' | 'read' | 'update' | 'delete' | 'other'
  /** Milliseconds since the epoch, when the request came in. */
  readonly time: number
  readonly requestId: string
  readonly identity: Identity | undefined
  readonly sourceIp: string
  /** The endpoint or method and path; never a query string. */
  readonly operation: string
  readonly resource: { readonly type: string; readonly name: string }
  /** The name of the rule or grant that decided. */
  readonly rule: string | undefined
  readonly grant: string | undefined
  readonly decision: 'allowed' | 'denied' | 'failed'
  /** Why, in a word from a closed set. */
  readonly reason: string
  readonly status: number
  readonly lookerUserId: string | undefined
  readonly durationMilliseconds: number
}
