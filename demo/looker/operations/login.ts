import { timingSafeEqual } from 'node:crypto'
import { forbidden, notFound } from '../failure.ts'
import { type FaultSource, isLoginFault } from '../faults.ts'
import type { Instance } from '../instance.ts'
import { type Operation, param } from '../operation.ts'
import type { LookerUser } from '../users.ts'

export function loginOperations({ users, tokens, now, tokenLifeSeconds }: Instance, faults: FaultSource): Operation[] {
  function issue(operation: string, user: LookerUser): object {
    user.loggedInAt = now()
    const answer = { access_token: tokens.issue(user.id), token_type: 'Bearer' }
    const fault = faults.take(operation, isLoginFault)
    if (fault === undefined) return { ...answer, expires_in: tokenLifeSeconds }
    return 'value' in fault ? { ...answer, expires_in: fault.value } : answer
  }

  return [
    {
      id: 'login',
      method: 'POST',
      path: '/login',
      access: 'open',
      answer({ body }) {
        // Only a form's members count. Looker still reads the query too, and is about to stop: a secret in a URL is logged.
        if (!(body instanceof URLSearchParams)) throw notFound()
        const user = users.byCredential('api3', body.get('client_id') ?? '')
        const key = user?.apiKeys.find(({ clientId }) => clientId === body.get('client_id'))
        if (user === undefined || key === undefined || user.isDisabled) throw notFound()
        if (!isSame(key.clientSecret, body.get('client_secret') ?? '')) throw notFound()
        return issue('login', user)
      },
    },
    {
      id: 'login_user',
      method: 'POST',
      path: '/login/:user_id',
      access: 'admin',
      answer(call) {
        const user = users.get(param(call, 'user_id'))
        if (user === undefined) throw notFound()
        if (user.isDisabled) throw forbidden('The user is disabled')
        return issue('login_user', user)
      },
    },
    {
      id: 'logout',
      method: 'DELETE',
      path: '/logout',
      access: 'member',
      answer: (_call, { token }) => tokens.end(token),
    },
  ]
}

function isSame(expected: string, given: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(given)]
  return a.length === b.length && timingSafeEqual(a, b)
}
