import type {
  AdapterFactory,
  ClientMetadata,
  Configuration,
  Grant,
  KoaContextWithOIDC,
  default as Provider,
} from 'oidc-provider'
import { AUDIENCE, CREDENTIALS, RESOURCES } from './clients.ts'
import type { SigningKey } from './keys.ts'
import { messagePage, pageHeaders, signOutPage } from './pages.ts'
import { claimsOf, type Person } from './people.ts'

const HOUR = 60 * 60
const FORTNIGHT = 14 * 24 * HOUR

export interface ProviderOptions {
  issuer: string
  keys: readonly SigningKey[]
  cookieKey: string
  clients: readonly ClientMetadata[]
  people: readonly Person[]
  store: AdapterFactory
  accessTokenLifeSeconds: number
}

const { default: ProviderClass, errors } = await importProvider()

// The package warns of an unsupported runtime wherever `process.release.lts` is absent, and many builds of Node that are
// perfectly supported do not have it. That one line is kept off the console; everything else passes.
async function importProvider(): Promise<typeof import('oidc-provider')> {
  const warn = console.warn
  console.warn = (...line: unknown[]) => {
    if (!String(line[0]).includes('Unsupported runtime')) warn(...line)
  }
  try {
    return await import('oidc-provider')
  } finally {
    console.warn = warn
  }
}

export function createProvider(options: ProviderOptions): Provider {
  const provider = new ProviderClass(options.issuer, configurationOf(options))
  // The address a request came by is settled before the provider sees it (issuer.ts), and told in these headers.
  provider.proxy = true
  return provider
}

function configurationOf(options: ProviderOptions): Configuration {
  const personOf = (id: string | undefined) => options.people.find(person => person.id === id)
  return {
    adapter: options.store,
    clients: options.clients,
    jwks: { keys: options.keys },
    cookies: { keys: [options.cookieKey] },
    responseTypes: ['code'],
    scopes: ['openid', 'offline_access'],
    claims: {
      openid: ['sub'],
      email: ['email', 'email_verified'],
      profile: ['name', 'preferred_username', 'groups', 'region', 'department'],
      groups: ['groups'],
    },
    // A sidecar reads who signed in from the ID token and saves itself the userinfo request.
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    findAccount: (_ctx, id) => {
      const person = personOf(id)
      return person && { accountId: id, claims: () => ({ sub: id, ...claimsOf(person) }) }
    },
    extraTokenClaims: (_ctx, token) => {
      const person = 'accountId' in token && token.aud === AUDIENCE ? personOf(token.accountId) : undefined
      return person && claimsOf(person)
    },
    loadExistingGrant: grantAllThatIsAsked,
    // A client with a secret always gets a refresh token, as Keycloak has it; without offline_access it ends with the session.
    issueRefreshToken: (_ctx, client, source) =>
      client.grantTypeAllowed('refresh_token') &&
      (client.clientAuthMethod !== 'none' || source.scopes.has('offline_access')),
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    clientBasedCORS: () => false,
    renderError: (ctx, out) => {
      ctx.set(pageHeaders())
      ctx.body = messagePage('Something is wrong', `${out.error}: ${out.error_description ?? 'no more is known'}`)
    },
    // Logout tokens go to sidecars on loopback and private addresses, which the provider's own dispatcher refuses.
    fetch: (input, init) => {
      const { dispatcher: _guarded, ...rest } = (init ?? {}) as RequestInit & { dispatcher?: unknown }
      return fetch(input, rest)
    },
    ttl: {
      AccessToken: options.accessTokenLifeSeconds,
      AuthorizationCode: 60,
      IdToken: HOUR,
      Interaction: HOUR,
      RefreshToken: FORTNIGHT,
      Session: FORTNIGHT,
      Grant: FORTNIGHT,
    },
    features: {
      devInteractions: { enabled: false },
      userinfo: { enabled: true },
      backchannelLogout: { enabled: true },
      revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => client.clientId === token.clientId },
      introspection: {
        enabled: true,
        allowedPolicy: (_ctx, client) => client.clientId === CREDENTIALS.resourceServer.clientId,
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: (_ctx, _client, oneOf) => oneOf,
        getResourceServerInfo: (_ctx, resource) => resourceServerOf(resource),
        useGrantedResource: () => true,
      },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => {
          const returnTo = ctx.oidc.session?.state?.['postLogoutRedirectUri']
          ctx.set(pageHeaders(typeof returnTo === 'string' ? returnTo : undefined))
          ctx.body = signOutPage(form)
        },
        postLogoutSuccessSource: ctx => {
          ctx.set(pageHeaders())
          ctx.body = messagePage('Signed out', 'Your session at the demo issuer has ended.')
        },
      },
    },
  }
}

function resourceServerOf(resource: string) {
  const shared = { scope: 'looker', audience: AUDIENCE }
  if (resource === RESOURCES.jwt) {
    return { ...shared, accessTokenFormat: 'jwt' as const, jwt: { sign: { alg: 'RS256' as const } } }
  }
  if (resource === RESOURCES.opaque) return { ...shared, accessTokenFormat: 'opaque' as const }
  throw new errors.InvalidTarget()
}

/** Consent is not what this issuer shows: whoever signs in has agreed. */
async function grantAllThatIsAsked(ctx: KoaContextWithOIDC): Promise<Grant | undefined> {
  const { provider, client, session, params, resourceServers = {} } = ctx.oidc
  if (!client || !session?.accountId) return undefined
  const known = session.grantIdFor(client.clientId)
  const grant =
    (known === undefined ? undefined : await provider.Grant.find(known)) ??
    new provider.Grant({ clientId: client.clientId, accountId: session.accountId })
  if (typeof params?.['scope'] === 'string') grant.addOIDCScope(params['scope'])
  for (const [resource, { scope }] of Object.entries(resourceServers)) grant.addResourceScope(resource, scope)
  await grant.save()
  return grant
}
