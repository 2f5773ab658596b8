import { createTurnableClock } from '../../demo/looker/clock.ts'
import { json, type Sidecar, startWorld, type World, type Written } from '../support/world.ts'

export const LIFE_SECONDS = 3600

/** A world whose clock, one for issuer, sidecars and Looker, stands still unless turned. */
export interface TurnableWorld extends World {
  advance(seconds: number): void
  /** A subject token as it is signed now. */
  subject(id: string, claims?: Record<string, unknown>): Promise<string>
  /** The number of calls so far of each operation named. */
  counts<Name extends string>(...operations: Name[]): Record<Name, number>
}

export async function startTurnableWorld(options: Parameters<typeof startWorld>[0] = {}): Promise<TurnableWorld> {
  // A whole second: tokens know no parts of one.
  const started = Math.floor(Date.now() / 1000) * 1000
  const clock = createTurnableClock(() => started)
  const { now, advance } = clock
  const world = await startWorld({ issuer: { now, ...options?.issuer }, looker: { now, ...options?.looker } })
  return {
    ...world,
    advance,
    sidecar: (sections, sidecarOptions) => world.sidecar(sections, { clock, ...sidecarOptions }),
    subject: (id, claims) => world.issuer.sign({ sub: id, ...claims }),
    counts: <Name extends string>(...operations: Name[]) =>
      Object.fromEntries(operations.map(name => [name, world.looker.calls.count(name)])) as Record<Name, number>,
  }
}

export interface Handed {
  readonly status: number
  readonly token: unknown
  readonly expiresIn: unknown
  readonly body: Record<string, unknown>
  readonly headers: Headers
}

/** What `POST /token` hands out for a subject token. */
export async function exchanged(sidecar: Sidecar, subjectToken: string): Promise<Handed> {
  return handed(await sidecar.exchange(subjectToken))
}

/** `/looker/token` with a bearer token. */
export async function lookerToken(sidecar: Sidecar, bearer: string, method = 'POST'): Promise<Handed> {
  const headers = { authorization: `Bearer ${bearer}` }
  return handed(await sidecar.fetch('/sallyport/looker/token', { method, headers }))
}

async function handed(response: Response): Promise<Handed> {
  const { status, headers } = response
  const body = status === 204 ? {} : await json(response)
  return { status, headers, body, token: body['access_token'], expiresIn: body['expires_in'] }
}

/** The `looker` section with other limits. */
export function lookerSection(world: World, section: Written): Written {
  return { looker: { ...(world.written()['looker'] as Written), ...section } }
}
