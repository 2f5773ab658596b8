import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import type { default as Provider } from 'oidc-provider'
import { messagePage, pageHeaders, signInPage } from './pages.ts'
import type { Person } from './people.ts'

/** What a person sees between the authorization request and its answer: one page with one button for everybody. */
export async function serveInteraction(
  provider: Provider,
  people: readonly Person[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const interaction = await provider.interactionDetails(request, response).catch(() => undefined)
  if (!interaction) {
    response.writeHead(400, pageHeaders())
    response.end(messagePage('This sign-in is over', 'Go back to the application and start again.'))
    return
  }

  // The grant already holds all that was asked for; the provider asks again for native clients and offline access.
  if (interaction.prompt.name === 'consent') {
    await provider.interactionFinished(request, response, { consent: {} })
    return
  }

  let problem: string | undefined
  if (request.method === 'POST') {
    const chosen = new URLSearchParams(await text(request)).get('person')
    const person = people.find(({ id }) => id === chosen)
    if (person) {
      await provider.interactionFinished(request, response, { login: { accountId: person.id }, consent: {} })
      return
    }
    problem = 'Choose one of the people below.'
  }

  const clientId = String(interaction.params['client_id'])
  const client = await provider.Client.find(clientId)
  response.writeHead(problem === undefined ? 200 : 400, pageHeaders(String(interaction.params['redirect_uri'])))
  response.end(
    signInPage({
      action: `/interaction/${interaction.uid}`,
      clientName: client?.clientName ?? clientId,
      people,
      ...(problem === undefined ? {} : { problem }),
    }),
  )
}
