import { Refusal } from './failure.ts'
import type { Identity } from './identity.ts'

/** The rule that a request met, as `policy` compiled it. */
export interface AccessRule {
  /** A name from the configuration, never from the request: it is a metric label. */
  readonly name: string
  readonly access: 'public' | 'authenticated'
  admits(identity: Identity): boolean
}

/**
 * The proof that a request was let in. Only {@link Permit.decide} makes one, so whatever takes a permit
 * as a parameter cannot be reached around the decision.
 */
export class Permit {
  /** Absent where a public rule let in a caller without a credential. */
  readonly identity: Identity | undefined
  readonly rule: string

  private constructor(identity: Identity | undefined, rule: string) {
    this.identity = identity
    this.rule = rule
  }

  /**
   * @throws {Refusal} `no-credentials` where the rule needs an identity and there is none,
   * `forbidden` where no rule matched or the rule does not admit the identity.
   */
  static decide(identity: Identity | undefined, rule: AccessRule | undefined): Permit {
    if (rule === undefined) {
      // A caller without a credential learns nothing about which paths exist.
      throw new Refusal(identity === undefined ? { kind: 'no-credentials' } : { kind: 'forbidden', rule: 'none' })
    }
    if (rule.access === 'public') return new Permit(identity, rule.name)
    if (identity === undefined) throw new Refusal({ kind: 'no-credentials' })
    if (!rule.admits(identity)) throw new Refusal({ kind: 'forbidden', rule: rule.name })
    return new Permit(identity, rule.name)
  }
}
