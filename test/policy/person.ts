import { Refusal, type Failure } from '../../src/core/failure.ts'
import type { Identity } from '../../src/core/identity.ts'
import { identityFrom } from '../../src/identity/claims.ts'
import type { GrantOptions } from '../../src/policy/grants.ts'

const NOW = Date.UTC(2030, 0, 1)

/** Who a token with these claims speaks of, read as a verified token is. */
export function person(claims: Record<string, unknown> = {}): Identity {
  const seconds = NOW / 1000
  return identityFrom(
    { iss: 'https://id.example.com', aud: 'sallyport', sub: 'ana', exp: seconds + 600, ...claims },
    {
      name: 'corp',
      issuer: 'https://id.example.com',
      audiences: ['sallyport'],
      claims: { subject: 'sub', email: 'email', name: 'name', groups: 'groups' },
    },
    'jwt',
    { now: () => NOW },
  )
}

export function grant(name: string, keys: Partial<GrantOptions> = {}): GrantOptions {
  return { name, permissions: ['access_data'], models: [], groupIds: [], userAttributes: {}, ...keys }
}

/** The failure that the work is refused with. */
export function failureOf(work: () => unknown): Failure {
  try {
    work()
  } catch (error) {
    if (error instanceof Refusal) return error.failure
    throw error
  }
  throw new Error('nothing was refused')
}
