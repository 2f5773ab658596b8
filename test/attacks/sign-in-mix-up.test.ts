import { expect, test } from 'vitest'
import { startPlainIssuer } from '../support/plain-issuer.ts'
import {
  answerTokens,
  begin,
  comeBack,
  plainStage,
  sessionIn,
  startPlainSidecar,
  tokenRequests,
} from '../support/plain-sign-in.ts'
import { expectProblem } from '../support/problem.ts'
import { startSidecar } from '../support/world.ts'

const { world, issuer, sidecar } = await plainStage()

test('43 an answer that names another issuer than the one that was asked is refused, and the code goes to nobody', async () => {
  for (const iss of ['https://evil.example', `${issuer.issuer}/`, issuer.issuer.toUpperCase()]) {
    const begun = await begin(sidecar)
    answerTokens(issuer, begun.nonce)
    const asked = tokenRequests(issuer)
    const response = await comeBack(sidecar, begun, { code: 'good', iss })
    expect(sessionIn(response)).toBeUndefined()
    await expectProblem(response, 400, 'sign-in-failed')
    expect(tokenRequests(issuer)).toBe(asked)
  }
  const begun = await begin(sidecar)
  answerTokens(issuer, begun.nonce)
  expect(sessionIn(await comeBack(sidecar, begun, { code: 'good', iss: issuer.issuer }))).toBeDefined()
})

test('43 an answer without iss is refused where the issuer says that it sends one', async () => {
  const says = await startPlainIssuer()
  says.answer('discovery', {
    body: {
      issuer: says.issuer,
      jwks_uri: `${says.issuer}/jwks`,
      authorization_endpoint: `${says.issuer}/authorization`,
      token_endpoint: `${says.issuer}/token`,
      authorization_response_iss_parameter_supported: true,
    },
  })
  const careful = await startPlainSidecar(world, says)
  const begun = await begin(careful)
  answerTokens(says, begun.nonce)
  expect(sessionIn(await comeBack(careful, begun))).toBeUndefined()
  expect(tokenRequests(says)).toBe(0)
  await Promise.all([careful.close(), says.close()])
})

test('43 with two issuers, an answer of the one does not finish a sign-in with the other', async () => {
  const evil = await startPlainIssuer()
  const login = { clientId: 'web' }
  const both = await startSidecar(
    world.written({
      issuers: [
        { name: 'plain', issuer: issuer.issuer, audiences: ['sallyport'], login },
        { name: 'evil', issuer: evil.issuer, audiences: ['sallyport'], login },
      ],
    }),
  )
  const response = await both.fetch('/sallyport/login?issuer=evil')
  const location = new URL(response.headers.get('location') ?? '')
  expect(location.origin).toBe(evil.issuer)
  const begun = {
    cookie: response.headers.get('set-cookie')?.split(';')[0] ?? '',
    state: location.searchParams.get('state') ?? '',
    nonce: location.searchParams.get('nonce') ?? '',
  }
  // The ID token is the honest issuer's own, for this client and this nonce.
  const idToken = issuer.sign({ aud: 'web', nonce: begun.nonce }, { typ: 'JWT' })
  answerTokens(evil, begun.nonce, { idToken })
  const end = await comeBack(both, begun)
  expect(end.status).toBe(400)
  expect(sessionIn(end)).toBeUndefined()
  await Promise.all([both.close(), evil.close()])
})
