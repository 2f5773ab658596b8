import type { ICredentialsEmbed, IUser } from '@looker/sdk'
import { Refusal } from '../core/failure.ts'
import type { CallContext, LookerClient } from './client.ts'
import { LookerAnswer } from './transport.ts'

/**
 * The id of the embed user with this external id, or undefined.
 * @throws {Refusal} `looker-user-disabled`.
 */
export async function findUser(
  looker: LookerClient,
  externalUserId: string,
  context: CallContext,
): Promise<string | undefined> {
  if (externalUserId === '.' || externalUserId === '..') {
    // Encoded or not, every reader of URLs takes these for steps through the path (WHATWG URL §4.1): it would be another's.
    throw new Refusal({
      kind: 'looker-refused',
      operation: 'user_for_credential',
      status: 400,
      message: 'Looker cannot be asked for a user whose external id is made of dots alone',
    })
  }
  // The SDK leaves parameters alone that look encoded: `a%20b` would find the user `a b`. So the path is made here.
  const path = `/users/credential/embed/${encodeURIComponent(externalUserId)}`
  let user: IUser | null | undefined
  try {
    user = await explainRefusal(
      'user_for_credential',
      () =>
        looker.call<IUser | null | undefined>(
          'user_for_credential',
          (sdk, options) => sdk.get(path, { fields: 'id,is_disabled,credentials_embed' }, null, options),
          context,
        ),
      [404],
    )
  } catch (error) {
    if (error instanceof LookerAnswer) return undefined
    throw error
  }
  const { id, is_disabled: disabled, credentials_embed: credentials } = user ?? {}
  if (typeof id !== 'string' || !/^\d+$/.test(id) || !isOf(credentials, externalUserId)) {
    throw new Refusal({
      kind: 'looker-refused',
      operation: 'user_for_credential',
      status: 200,
      message: 'the answer is not about the user that was asked for',
    })
  }
  if (disabled === true) throw new Refusal({ kind: 'looker-user-disabled', lookerUserId: id })
  return id
}

/** Looker matches without regard to case in places; nobody is to be taken for somebody else because of that. */
function isOf(credentials: ICredentialsEmbed[] | null | undefined, externalUserId: string): boolean {
  if (credentials === null || credentials === undefined || credentials.length === 0) return true
  return credentials.some(credential => credential.external_user_id === externalUserId)
}

/** An answer that is not among the expected ones becomes a failure that says which operation Looker refused. */
export async function explainRefusal<T>(
  operation: string,
  work: () => Promise<T>,
  expected: readonly number[] = [],
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof LookerAnswer) || expected.includes(error.status)) throw error
    throw new Refusal(
      { kind: 'looker-refused', operation, status: error.status, message: error.message },
      { cause: error },
    )
  }
}
