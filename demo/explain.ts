import type { Config } from '../src/config/schema.ts'
import { Refusal } from '../src/core/failure.ts'
import type { Claims, Identity } from '../src/core/identity.ts'
import { identityFromClaims } from '../src/identity/claims.ts'
import { compileGrants, type GrantBook } from '../src/policy/grants.ts'
import type { Explanation } from './sample-app/surroundings.ts'

/** Says of a person with these claims what `sallyport grants explain` would say. */
export function createExplainer({ issuers, grants, looker }: Config): (claims: Claims) => Explanation {
  const book = compileGrants(grants, looker.externalUserId)
  return claims => {
    const [issuer] = issuers
    if (issuer === undefined) throw new Error('there is no issuer')
    const identity = identityFromClaims(claims, issuer, 'session', Date.now())
    return { verdicts: book.explain(identity), scope: scopeOf(book, identity) }
  }
}

function scopeOf(book: GrantBook, identity: Identity): Explanation['scope'] {
  try {
    return book.scopeOf(identity)
  } catch (error) {
    if (error instanceof Refusal) return undefined
    throw error
  }
}
