import { notFound } from '../failure.ts'
import type { Instance } from '../instance.ts'
import { type Call, type Operation, param } from '../operation.ts'
import { apiKeyDocument } from '../user-document.ts'
import type { ApiKey, LookerUser } from '../users.ts'

export function apiKeyOperations({ users }: Instance): Operation[] {
  function findUser(call: Call): LookerUser {
    const user = users.get(param(call, 'user_id'))
    if (user === undefined) throw notFound()
    return user
  }
  function findKey(call: Call): ApiKey {
    const key = findUser(call).apiKeys.find(({ id }) => id === param(call, 'credentials_api3_id'))
    if (key === undefined) throw notFound()
    return key
  }
  return [
    {
      id: 'all_user_credentials_api3s',
      method: 'GET',
      path: '/users/:user_id/credentials_api3',
      access: 'admin',
      answer: call => findUser(call).apiKeys.map(apiKeyDocument),
    },
    {
      id: 'user_credentials_api3',
      method: 'GET',
      path: '/users/:user_id/credentials_api3/:credentials_api3_id',
      access: 'admin',
      answer: call => apiKeyDocument(findKey(call)),
    },
    {
      id: 'create_user_credentials_api3',
      method: 'POST',
      path: '/users/:user_id/credentials_api3',
      access: 'admin',
      answer(call) {
        const key = users.addApiKey(findUser(call))
        // The one time the secret is shown.
        return { ...apiKeyDocument(key), client_secret: key.clientSecret }
      },
    },
    {
      id: 'delete_user_credentials_api3',
      method: 'DELETE',
      path: '/users/:user_id/credentials_api3/:credentials_api3_id',
      access: 'admin',
      answer: call => users.removeApiKey(findUser(call), findKey(call)),
    },
  ]
}
