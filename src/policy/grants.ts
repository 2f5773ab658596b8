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

export interface GrantBook {
  /** @throws {Refusal} `no-grant`, or `claim-missing` where the grant's templates ask for a claim the person lacks. */
  scopeOf(identity: Identity): LookerScope
  /** The grants up to and with the one that matches, in their order. */
  explain(identity: Identity): readonly GrantVerdict[]
}

/** Scopes of identities that are remembered by the bearer verifier; an identity is immutable, so its scope is too. */
export function compileGrants(grants: readonly GrantOptions[], externalUserId: string): GrantBook {
  const compiled = grants.map(options => ({ options, mismatch: compileWho(options) }))
  const scopes = new WeakMap<Identity, LookerScope>()
  return {
    scopeOf(identity) {
      const known = scopes.get(identity)
      if (known !== undefined) return known
      const match = compiled.find(({ mismatch }) => mismatch(identity) === undefined)
      if (match === undefined) throw new Refusal({ kind: 'no-grant' })
      const scope = fill(match.options, externalUserId, identity)
      scopes.set(identity, scope)
      return scope
    },
    explain(identity) {
      const verdicts = compiled.map(({ options, mismatch }) => ({ grant: options.name, mismatch: mismatch(identity) }))
      const match = verdicts.findIndex(verdict => verdict.mismatch === undefined)
      return match === -1 ? verdicts : verdicts.slice(0, match + 1)
    },
  }
}

function fill(grant: GrantOptions, externalIdTemplate: string, identity: Identity): LookerScope {
  const render = (template: string, usedBy: string): string =>
    template.replaceAll(/\{([^{}]*)\}/g, (_whole, name: string) => {
      const value = valueOf(identity, name)
      if (value === undefined) {
        throw new Refusal({ kind: 'claim-missing', grant: grant.name, claim: name.replace(/^claim:/, ''), usedBy })
      }
      return value
    })
  const externalUserId = render(externalIdTemplate, 'looker.externalUserId')
  const userAttributes = Object.fromEntries(
    Object.entries(grant.userAttributes).map(([name, template]) => [name, render(template, `userAttributes.${name}`)]),
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
