import { afterAll, beforeAll, expect, test } from 'vitest'
import { ACCEPTED, present, rejected } from '../support/tokens.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.sidecar(withAudiences({}))
})
afterAll(() => world.close())

/** ID tokens are made out to the client, so its id is an audience here: nothing but their kind is to refuse them. */
function withAudiences(more: Record<string, unknown>) {
  return { issuers: [{ name: 'corp', issuer: world.issuer.issuer, audiences: ['sallyport', 'demo-cli'], ...more }] }
}

test('13 an aud that is missing or names others is 401', async () => {
  const others = [undefined, null, '', 'looker', 'sallyport2', 'SALLYPORT', ' sallyport', 'looker sallyport']
  for (const aud of [...others, [], ['looker'], [['sallyport']], { sallyport: true }, 1, true]) {
    const outcome = await present(world, sidecar, await world.issuer.sign({ aud }))
    expect(outcome, JSON.stringify(aud)).toEqual(rejected('audience'))
  }
})

test.for([{ aud: 'sallyport' }, { aud: ['sallyport'] }, { aud: ['looker', 'sallyport'] }])(
  '13 a token with %j is accepted',
  async claims => {
    expect(await present(world, sidecar, await world.issuer.sign(claims))).toMatchObject(ACCEPTED)
  },
)

test('14 an ID token that the issuer really gave is 401 as an access token', async () => {
  const { accessToken, idToken } = await world.issuer.signIn('ana')
  expect(await present(world, sidecar, idToken)).toEqual(rejected('token-type'))
  expect(await present(world, sidecar, accessToken)).toMatchObject(ACCEPTED)
})

test('14 an ID token is accepted where the issuer is set to allow it', async () => {
  const lenient = await world.sidecar(withAudiences({ allowIdTokens: true }))
  const { idToken } = await world.issuer.signIn('ana')
  expect(await present(world, lenient, idToken)).toMatchObject(ACCEPTED)
})

test('14 an ID token that was exchanged a moment ago does not become an access token', async () => {
  const { idToken } = await world.issuer.signIn('ana')
  const exchanged = await sidecar.exchange(idToken, { subject_token_type: 'urn:ietf:params:oauth:token-type:id_token' })
  expect(exchanged.status).toBe(200)
  expect(await present(world, sidecar, idToken)).toEqual(rejected('token-type'))
  expect(await present(world, sidecar, `id ${idToken}`)).toEqual(rejected('malformed'))
})

test.for([{ nonce: 'n' }, { at_hash: 'h' }, { c_hash: 'h' }, { s_hash: 'h' }, { token_use: 'id' }, { typ: 'ID' }])(
  '14 a JWT that does not say its type and has %j is an ID token, and 401',
  async claims => {
    for (const typ of [undefined, 'JWT']) {
      const token = await world.issuer.sign(claims, { header: { typ } })
      expect(await present(world, sidecar, token)).toEqual(rejected('token-type'))
    }
  },
)

test('14 a logout token is 401, by its type and by its event, even where ID tokens are allowed', async () => {
  const lenient = await world.sidecar(withAudiences({ allowIdTokens: true }))
  const events = { 'http://schemas.openid.net/event/backchannel-logout': {} }
  for (const typ of ['logout+jwt', 'JWT', 'at+jwt', undefined]) {
    const token = await world.issuer.sign({ events, sid: 's1' }, { header: { typ } })
    expect(await present(world, sidecar, token)).toEqual(rejected('token-type'))
    expect(await present(world, lenient, token)).toEqual(rejected('token-type'))
  }
})

test('14 any other typ is 401', async () => {
  for (const typ of ['secevent+jwt', 'dpop+jwt', 'token-introspection+jwt', 'oauth-authz-req+jwt', 'JWS', '', 'jwt ']) {
    const token = await world.issuer.sign({}, { header: { typ } })
    expect(await present(world, sidecar, token), typ).toEqual(rejected('token-type'))
  }
  const token = await world.issuer.sign({}, { header: { typ: ['at+jwt'] } })
  expect(await present(world, sidecar, token)).toEqual(rejected('malformed'))
})

test('14 an access token may say its type as any issuer does, in any case', async () => {
  for (const typ of ['at+jwt', 'AT+JWT', 'application/at+jwt', 'JWT', 'jwt', undefined]) {
    expect(await present(world, sidecar, await world.issuer.sign({}, { header: { typ } })), typ).toMatchObject(ACCEPTED)
  }
})

test('14 a token bound to a key (DPoP, mutual TLS) is 401 from whoever only carries it', async () => {
  for (const cnf of [{ jkt: 'thumbprint' }, { 'x5t#S256': 'thumbprint' }, {}]) {
    expect(await present(world, sidecar, await world.issuer.sign({ cnf }))).toEqual(rejected('bound-to-key'))
  }
})

test('14 claims that cannot name a person safely are 401', async () => {
  for (const sub of [undefined, '', null, 7, ['ana'], 'ana\r\nX-Forwarded-Groups: admins', 'a'.repeat(1025)]) {
    const { status, forwarded } = await present(world, sidecar, await world.issuer.sign({ sub }))
    expect({ status, forwarded }, JSON.stringify(sub)).toEqual({ status: 401, forwarded: false })
  }
  for (const groups of [['analytics\n'], [1], [['analytics']], { analytics: true }]) {
    expect(await present(world, sidecar, await world.issuer.sign({ groups }))).toEqual(rejected('bad-claim'))
  }
})
