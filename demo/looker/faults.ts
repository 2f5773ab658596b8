interface FaultAim {
  /** An operationId; absent: any. */
  readonly operation?: string
  /** How many calls it meets; 1 unless given, `Infinity` for all. */
  readonly times?: number
}

type FaultKind =
  | { readonly kind: 'delay'; readonly milliseconds: number }
  | { readonly kind: 'too-many-requests'; readonly retryAfterSeconds?: number | string }
  | { readonly kind: 'server-error'; readonly status?: number }
  | { readonly kind: 'unauthorized' }
  /** The connection is reset before an answer. */
  | { readonly kind: 'reset' }
  /** The connection stays open and nothing ever comes. */
  | { readonly kind: 'hang' }
  /** Any answer at all, in place of Looker's. */
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly body: string
      readonly headers?: Readonly<Record<string, string>>
    }
  /** The connection breaks after so many bytes of the body (half of it unless given). */
  | { readonly kind: 'cut'; readonly afterBytes?: number }
  /** The body comes in small pieces with pauses between them. */
  | { readonly kind: 'drip'; readonly everyMilliseconds: number; readonly bytes?: number }
  /** `login` and `login_user` answer this as `expires_in`, or none when there is no value. */
  | { readonly kind: 'expires-in'; readonly value?: unknown }

export type Fault = FaultAim & FaultKind

export interface Faults {
  inject(fault: Fault): void
  clear(): void
  /** How many injected faults have not yet been used up. */
  readonly pending: number
}

const KINDS: ReadonlySet<unknown> = new Set<FaultKind['kind']>([
  'delay',
  'too-many-requests',
  'server-error',
  'unauthorized',
  'reset',
  'hang',
  'answer',
  'cut',
  'drip',
  'expires-in',
])

// Each lane is taken from on its own, so that a slow Looker can also refuse, and a refusing one also send half a body.
export type Delay = Extract<Fault, { kind: 'delay' }>
export type BodyFault = Extract<Fault, { kind: 'cut' | 'drip' }>
export type LoginFault = Extract<Fault, { kind: 'expires-in' }>
export type Refusal = Exclude<Fault, Delay | BodyFault | LoginFault>

export const isDelay = (fault: Fault): fault is Delay => fault.kind === 'delay'
export const isBodyFault = (fault: Fault): fault is BodyFault => fault.kind === 'cut' || fault.kind === 'drip'
export const isLoginFault = (fault: Fault): fault is LoginFault => fault.kind === 'expires-in'
export const isRefusal = (fault: Fault): fault is Refusal =>
  !isDelay(fault) && !isBodyFault(fault) && !isLoginFault(fault)

export interface FaultSource extends Faults {
  /** Uses up one turn of the first fault of this lane that is aimed at the operation. */
  take<F extends Fault>(operation: string, lane: (fault: Fault) => fault is F): F | undefined
}

export function isFault(value: unknown): value is Fault {
  return typeof value === 'object' && value !== null && 'kind' in value && KINDS.has(value.kind)
}

export function createFaults(): FaultSource {
  let queue: { readonly fault: Fault; left: number }[] = []
  return {
    inject(fault) {
      queue.push({ fault, left: fault.times ?? 1 })
    },
    clear() {
      queue = []
    },
    get pending() {
      return queue.length
    },
    take(operation, lane) {
      for (const entry of queue) {
        const { fault } = entry
        if (!lane(fault) || (fault.operation !== undefined && fault.operation !== operation)) continue
        entry.left -= 1
        if (entry.left <= 0) queue = queue.filter(other => other !== entry)
        return fault
      }
      return undefined
    },
  }
}
