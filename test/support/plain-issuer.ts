import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import type { JWK } from 'jose'
import type { Dispatcher } from 'undici'
import { signCompact } from '../../demo/issuer/keys.ts'
import { systemClock } from '../../src/core/clock.ts'
import type { IssuerOptions } from '../../src/identity/issuer.ts'

type Endpoint = 'discovery' | 'jwks' | 'introspection' | 'token' | 'userinfo'

interface Answer {
  readonly status?: number
  readonly headers?: Record<string, string>
  /** Text goes out as it is, all else as JSON. */
  readonly body: unknown
}

/** An issuer that says whatever a test wants it to say, where a real one would refuse to. */
export interface PlainIssuer {
  readonly issuer: string
  readonly key: { readonly privateKey: KeyObject; readonly jwk: JWK }
  readonly requests: { readonly path: string; readonly method: string; headers: IncomingHttpHeaders; body: string }[]
  /** Replaces what an endpoint says. */
  answer(endpoint: Endpoint, answer: Answer | 'nothing'): void
  /** The claims of a good token, and those given. */
  claims(given?: Record<string, unknown>): Record<string, unknown>
  /** A token, by default good and of the issuer's own key (ES256). */
  sign(claims?: Record<string, unknown>, header?: Record<string, unknown>, key?: KeyObject): string
  close(): Promise<void>
}

const PATHS: Readonly<Record<string, Endpoint>> = {
  '/.well-known/openid-configuration': 'discovery',
  '/jwks': 'jwks',
  '/introspection': 'introspection',
  '/token': 'token',
  '/userinfo': 'userinfo',
}

export async function startPlainIssuer(): Promise<PlainIssuer> {
  const key = ecKey('key-1')
  const requests: PlainIssuer['requests'] = []
  const answers = new Map<Endpoint, Answer | 'nothing'>()
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { url: path = '/', method = 'GET', headers } = request
    requests.push({ path, method, headers, body: await text(request) })
    const answer = answers.get(PATHS[path] ?? 'discovery')
    if (answer === 'nothing') return
    response.writeHead(answer?.status ?? 200, { 'content-type': 'application/json', ...answer?.headers })
    response.end(typeof answer?.body === 'string' ? answer.body : JSON.stringify(answer?.body))
  }
  const server = createServer((request, response) => void serve(request, response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const issuer = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  answers.set('discovery', {
    body: {
      issuer,
      jwks_uri: `${issuer}/jwks`,
      introspection_endpoint: `${issuer}/introspection`,
      authorization_endpoint: `${issuer}/authorization`,
      token_endpoint: `${issuer}/token`,
    },
  })
  answers.set('jwks', { body: { keys: [key.jwk] } })
  answers.set('introspection', { body: { active: false } })
  const claims: PlainIssuer['claims'] = given => {
    const now = Math.floor(Date.now() / 1000)
    return { iss: issuer, sub: 'ana', aud: 'sallyport', iat: now, exp: now + 3600, groups: ['analytics'], ...given }
  }
  return {
    issuer,
    key,
    requests,
    answer: (endpoint, answer) => void answers.set(endpoint, answer),
    claims,
    sign: (given, header, privateKey = key.privateKey) =>
      signCompact({ alg: 'ES256', kid: 'key-1', typ: 'at+jwt', ...header }, claims(given), privateKey),
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

/** Options for `createIssuer`, where a test needs the issuer's client side without a sidecar around it. */
export function issuerOptions(issuer: string, dispatcher: Dispatcher): IssuerOptions {
  return {
    name: 'plain',
    issuer,
    audiences: ['sallyport'],
    algorithms: ['ES256'],
    claims: { subject: 'sub', email: 'email', name: 'name', groups: 'groups' },
    allowIdTokens: false,
    introspection: undefined,
    dispatcher,
    clock: systemClock,
    report: () => undefined,
  }
}

/** A P-256 key and its public half as an issuer would publish it. */
export function ecKey(kid: string): PlainIssuer['key'] {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' } }
}

/** An RSA key and its public half as an issuer would publish it. */
export function rsaKey(kid: string, modulusLength = 2048): PlainIssuer['key'] {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength })
  return { privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig' } }
}
