import { afterAll } from 'vitest'
import { type PlainIssuer, startPlainIssuer } from './plain-issuer.ts'
import { type Sidecar, startSidecar, startWorld, type World } from './world.ts'

/** What attacks on a sign-in are played on. */
interface PlainStage {
  readonly world: World
  readonly issuer: PlainIssuer
  readonly sidecar: Sidecar
}

/** A world, an issuer that says what the test wants, and a sidecar where people sign in with it, for all tests of a file. */
export async function plainStage(options: Parameters<typeof startSidecar>[1] = {}): Promise<PlainStage> {
  const [world, issuer] = await Promise.all([startWorld(), startPlainIssuer()])
  const sidecar = await startPlainSidecar(world, issuer, options)
  afterAll(() => Promise.all([sidecar.close(), issuer.close(), world.close()]))
  return { world, issuer, sidecar }
}

/** A sidecar where people sign in with an issuer that says what the test wants. */
export async function startPlainSidecar(
  world: World,
  issuer: PlainIssuer,
  options: Parameters<typeof startSidecar>[1] = {},
): Promise<Sidecar> {
  const written = { name: 'plain', issuer: issuer.issuer, audiences: ['sallyport'], login: { clientId: 'web' } }
  return startSidecar(world.written({ issuers: [written] }), options)
}

/** A sign-in that was begun: what the browser holds, and what the issuer was asked for. */
export interface Begun {
  readonly cookie: string
  readonly state: string
  readonly nonce: string
}

export async function begin(sidecar: Sidecar, returnTo = '/'): Promise<Begun> {
  const query = new URLSearchParams({ return_to: returnTo })
  const response = await sidecar.fetch(`/sallyport/login?${query.toString()}`)
  const { searchParams } = new URL(response.headers.get('location') ?? '')
  return {
    cookie: response.headers.get('set-cookie')?.split(';')[0] ?? '',
    state: searchParams.get('state') ?? '',
    nonce: searchParams.get('nonce') ?? '',
  }
}

/** Comes back from the issuer with a code, or with other parameters. */
export function comeBack(
  sidecar: Sidecar,
  { cookie, state }: Pick<Begun, 'cookie' | 'state'>,
  parameters: Record<string, string> = { code: 'good' },
  headers: Record<string, string> = {},
): Promise<Response> {
  const query = new URLSearchParams({ state, ...parameters })
  return sidecar.fetch(`/sallyport/callback?${query.toString()}`, { headers: { cookie, ...headers } })
}

/** What the token endpoint says, with an ID token that is good but for what is given. */
export function answerTokens(
  issuer: PlainIssuer,
  nonce: string,
  {
    claims = {},
    header = {},
    idToken,
    ...rest
  }: {
    claims?: Record<string, unknown>
    header?: Record<string, unknown>
    idToken?: string
    [member: string]: unknown
  } = {},
): void {
  const good = { aud: 'web', nonce, email: 'ana@example.com', groups: ['analytics'], ...claims }
  const id_token = idToken ?? issuer.sign(good, { typ: 'JWT', ...header })
  issuer.answer('token', {
    body: { access_token: 'opaque-access', token_type: 'Bearer', expires_in: 3600, id_token, ...rest },
  })
}

/** How often the token endpoint was asked. */
export function tokenRequests({ requests }: PlainIssuer): number {
  return requests.filter(({ path }) => path === '/token').length
}

/** The session that an answer begins, or undefined. */
export function sessionIn(response: Response): string | undefined {
  return response.headers
    .getSetCookie()
    .map(cookie => /^sallyport=([\w-]+);/.exec(cookie)?.[1])
    .find(id => id !== undefined)
}
