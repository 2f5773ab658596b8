import { hash } from 'node:crypto'
import { Refusal } from '../core/failure.ts'
import { claimAt, type Identity } from '../core/identity.ts'
import type { LookerScope } from '../core/looker-scope.ts'
import { compileWho, isScalar, type WhoOptions } from './who.ts'

export interface GrantOptions extends WhoOptions {
  readonly name: string
  readonly permissions: readonly string[]
  readonly models: readonly string[]
  readonly groupIds: readonly string[]
  /** Looker user attribute to a template with {issuer}, {subject}, {email}, {claim:NAME}. */
  readonly userAttributes: Readonly<Record<string, string>>
}

export interface GrantVerdict {
  readonly grant: string
  /** Why it is not the person's; undefined for the one that is. */
  readonly mismatch: string | undefined
}

/** Somebody whose access to Looker is to end. */
export interface LookerPerson {
  readonly externalUserId: string
  /** Undefined for who has none any more. */
  readonly grant: string | undefined
}

export interface GrantBook {
  /** @throws {Refusal} `no-grant`, or `claim-missing` where the grant's templates ask for a claim the person lacks. */
  scopeOf(identity: Identity): LookerScope
  /** Who the person is to Looker, whatever they may do there: nothing any more, too. @throws {Refusal} `claim-missing`. */
  personOf(identity: Identity): LookerPerson
  /** The grants up to and with the one that matches, in their order. */
  explain(identity: Identity): readonly GrantVerdict[]
}

/** Scopes of identities that are remembered by the bearer verifier; an identity is immutable, so its scope is too. */
export function compileGrants(grants: readonly GrantOptions[], externalUserId: string): GrantBook {
  const compiled = grants.map(options => ({ options, mismatch: compileWho(options) }))
  const scopes = new WeakMap<Identity, LookerScope>()
  const matchOf = (identity: Identity): GrantOptions | undefined =>
    compiled.find(({ mismatch }) => mismatch(identity) === undefined)?.options
  return {
    scopeOf(identity) {
      const known = scopes.get(identity)
      if (known !== undefined) return known
      const match = matchOf(identity)
      if (match === undefined) throw new Refusal({ kind: 'no-grant' })
      const scope = fill(match, externalUserId, identity)
      scopes.set(identity, scope)
      return scope
    },
    personOf(identity) {
      const grant = matchOf(identity)?.name
      return {
        grant,
        externalUserId: render(externalUserId, identity, { grant: grant ?? 'none', usedBy: EXTERNAL_ID }),
      }
    },
    explain(identity) {
      const verdicts = compiled.map(({ options, mismatch }) => ({ grant: options.name, mismatch: mismatch(identity) }))
      const match = verdicts.findIndex(verdict => verdict.mismatch === undefined)
      return match === -1 ? verdicts : verdicts.slice(0, match + 1)
    },
  }
}

const EXTERNAL_ID = 'looker.externalUserId'

/** Fills in a template. @param what whose template it is, for whoever lacks a claim that it needs. */
function render(template: string, identity: Identity, what: { grant: string; usedBy: string }): string {
  return template.replaceAll(/\{([^{}]*)\}/g, (_whole, name: string) => {
    const value = valueOf(identity, name)
    if (value === undefined) throw new Refusal({ kind: 'claim-missing', claim: name.replace(/^claim:/, ''), ...what })
    return value
  })
}

function fill(grant: GrantOptions, externalIdTemplate: string, identity: Identity): LookerScope {
  const of = (template: string, usedBy: string): string => render(template, identity, { grant: grant.name, usedBy })
  const externalUserId = of(externalIdTemplate, EXTERNAL_ID)
  const userAttributes = Object.fromEntries(
    Object.entries(grant.userAttributes).map(([name, template]) => [name, of(template, `userAttributes.${name}`)]),
  )
  const [firstName, ...rest] = identity.name?.split(' ') ?? []
  const scope = {
    grant: grant.name,
    externalUserId,
    permissions: grant.permissions.toSorted(),
    models: grant.models.toSorted(),
    groupIds: grant.groupIds.toSorted(),
    userAttributes,
    firstName,
    lastName: rest.length === 0 ? undefined : rest.join(' '),
  }
  const told = [
    externalUserId,
    scope.permissions,
    scope.models,
    scope.groupIds,
    Object.entries(userAttributes).toSorted(([a], [b]) => (a < b ? -1 : 1)),
  ]
  return { ...scope, fingerprint: hash('sha256', JSON.stringify([grant.name, ...told]), 'base64url') }
}

/** A claim that is missing, empty or not plain is undefined: Looker would read an empty attribute as "any value". */
function valueOf(identity: Identity, name: string): string | undefined {
  if (name === 'issuer') return identity.issuer
  if (name === 'subject') return identity.subject
  if (name === 'email') return identity.email
  const claim = claimAt(identity.claims, name.replace(/^claim:/, ''))
  const values = Array.isArray(claim) ? claim : [claim]
  if (values.length === 0 || !values.every(value => isScalar(value) && value !== '')) return undefined
  return values.join(',')
}
