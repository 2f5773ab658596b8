import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { ClientMetadata } from 'oidc-provider'
import {
  AUDIENCE,
  cliClient,
  CREDENTIALS,
  RESOURCES,
  resourceServerClient,
  type TokenFormat,
  webClient,
  type WebClientOptions,
} from './clients.ts'
import { createFaults, createHits, familyOf, type Fault, type PathFamily } from './faults.ts'
import { serveInteraction } from './interaction.ts'
import { type AnyKey, createSigningKey, signCompact, type SigningKey } from './keys.ts'
import { createMemoryStore } from './memory-store.ts'
import { claimsOf, demoPeople, type Person } from './people.ts'
import { createProvider } from './provider.ts'
import { signIn, type SignedIn } from './sign-in.ts'

export interface DemoIssuerOptions extends WebClientOptions {
  /** 0 takes any that is free. */
  port?: number
  host?: string
  /** The URL everybody knows the issuer by: an origin. By default the address it listens on. */
  issuer?: string
  /** More clients, or others in the place of those that are there. */
  clients?: readonly ClientMetadata[]
  people?: readonly Person[]
  accessTokenLifeSeconds?: number
  /** Milliseconds; the clock of `sign` and of `expiresAt`. The provider itself lives by the clock of the machine. */
  now?: () => number
}

interface SignOptions {
  /** Laid over `{ alg, kid, typ: 'at+jwt' }`; undefined removes a member. */
  header?: Record<string, unknown>
  /** By default the issuer's current key. */
  key?: AnyKey
}

export interface DemoIssuer {
  readonly issuer: string
  /** Where it listens, which is also the issuer unless another was given. */
  readonly address: string
  readonly people: readonly Person[]
  /** The private keys that are published, the current one first. */
  readonly signingKeys: readonly SigningKey[]
  /** Requests so far, by what they were for; `signIn` makes some of authorization, interaction and token. */
  readonly hits: Readonly<Record<PathFamily, number>>
  /**
   * Any JWT at all, signed. The claims are laid over those of a good access token of the person that `sub` names (by
   * default the first); undefined removes a claim.
   */
  sign(claims?: Record<string, unknown>, options?: SignOptions): Promise<string>
  /** Publishes a new key and signs with it. Old keys stay published unless dropped. */
  rotateKeys(options?: { dropOld?: boolean }): Promise<void>
  fail(family: PathFamily | 'all', fault: Fault): void
  clear(family?: PathFamily): void
  /** Adds a client, or replaces the one with its id, while running: a test learns its redirect URI late. */
  setClient(metadata: ClientMetadata): void
  /** Changes the redirect and logout addresses of the client `web`. */
  setWebClient(options: WebClientOptions): void
  /** The real authorization code flow with the client `demo-cli`. */
  signIn(personId: string, options?: { format?: TokenFormat; scopes?: readonly string[] }): Promise<SignedIn>
  close(): Promise<void>
}

export async function startIssuer(options: DemoIssuerOptions = {}): Promise<DemoIssuer> {
  const { port = 0, host = '127.0.0.1', people = demoPeople, accessTokenLifeSeconds = 3600, now = Date.now } = options
  const closing = new AbortController()
  const faults = createFaults(closing.signal)
  const hits = createHits()
  const store = createMemoryStore()
  const cookieKey = randomBytes(32).toString('base64url')
  const clients = new Map<string, ClientMetadata>()
  for (const client of [webClient(options), resourceServerClient, cliClient, ...(options.clients ?? [])]) {
    clients.set(client.client_id, client)
  }

  // Ids count from one in every issuer, so that two issuers share them: a verifier must not mix their keys up.
  let keysMade = 0
  const nextKey = () => createSigningKey(`key-${(keysMade += 1)}`)
  let keys: readonly [SigningKey, ...SigningKey[]] = [await nextKey()]

  const server = createServer((request, response) => void serve(request, response))
  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address()
  const listening = typeof address === 'object' && address ? address.port : port
  const reachable = ['0.0.0.0', '::'].includes(host) ? '127.0.0.1' : host
  const localUrl = `http://${reachable}:${listening}`
  const issuerUrl = new URL(options.issuer ?? localUrl)
  const issuer = issuerUrl.origin

  // The provider takes keys and clients only when made. Another one behind the same socket, over the same store, is how
  // they change; nobody is signed out by it.
  const makeProvider = () =>
    createProvider({
      issuer,
      keys,
      cookieKey,
      clients: Array.from(clients.values()),
      people,
      store,
      accessTokenLifeSeconds,
    })
  let provider = makeProvider()

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { pathname } = new URL(request.url ?? '/', issuerUrl)
      const family = familyOf(pathname)
      hits[family] += 1
      if (await faults.apply(family, request, response)) return
      // The provider builds its endpoints from the address a request came by; they are to be those of the issuer.
      request.headers['x-forwarded-host'] = issuerUrl.host
      request.headers['x-forwarded-proto'] = issuerUrl.protocol.slice(0, -1)
      if (family === 'interaction') await serveInteraction(provider, people, request, response)
      else await provider.callback()(request, response)
    } catch (error) {
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' })
      response.end(String(error))
    }
  }

  const setClient = (metadata: ClientMetadata) => {
    clients.set(metadata.client_id, metadata)
    provider = makeProvider()
  }

  const stop = async () => {
    closing.abort()
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  let stopped: Promise<void> | undefined

  return {
    issuer,
    address: localUrl,
    people,
    get signingKeys() {
      return keys
    },
    hits,
    sign: async (claims = {}, { header = {}, key } = {}) => {
      const [current] = keys
      const person = people.find(({ id }) => id === claims['sub']) ?? people[0]
      const issuedAt = Math.floor(now() / 1000)
      const payload = {
        iss: issuer,
        sub: person?.id,
        aud: AUDIENCE,
        iat: issuedAt,
        exp: issuedAt + accessTokenLifeSeconds,
        jti: randomUUID(),
        client_id: CREDENTIALS.cli.clientId,
        scope: 'looker',
        ...(person ? claimsOf(person) : {}),
        ...claims,
      }
      return signCompact({ alg: current.alg, kid: current.kid, typ: 'at+jwt', ...header }, payload, key ?? current)
    },
    rotateKeys: async ({ dropOld = false } = {}) => {
      const old = keys
      keys = [await nextKey(), ...(dropOld ? [] : old)]
      provider = makeProvider()
    },
    fail: (family, fault) => faults.fail(family, fault),
    clear: family => faults.clear(family),
    setClient,
    setWebClient: web => setClient(webClient(web)),
    signIn: (person, { format = 'jwt', scopes } = {}) =>
      signIn({ issuer, person, resource: RESOURCES[format], now, ...(scopes ? { scopes } : {}) }),
    close: () => (stopped ??= stop()),
  }
}
