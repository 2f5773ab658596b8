import { onTestFinished } from 'vitest'
import { createBrowser } from '../../demo/issuer/browser.ts'
import { storeOn } from '../scale/sessions.ts'
import { sessionOf, signIn } from '../support/sign-in.ts'
import { createTurnedClock, type TurnedClock } from '../support/turned-clock.ts'
import { GRANTS, LOGIN, type Sidecar, startWorld, type World, type Written } from '../support/world.ts'

export const PUT_STATE = 'create_oauth_application_user_state'
export const LIST_APPLICATIONS = 'all_external_oauth_applications'
/** Of the emulated Looker's connection to BigQuery. */
export const APPLICATION = { name: 'BigQuery', id: '1' }
export const LIFE_SECONDS = 600
/** The emulated Looker asks its model `marketing` with the person's own tokens. */
export const BIGQUERY_GRANTS = GRANTS.map(grant => Object.assign({}, grant, { models: ['thelook', 'marketing'] }))

/** A `store` section with patience for a machine that is busy. */
export function slowStore(url: string): Written {
  return storeOn({ url, commandTimeoutMilliseconds: 10_000 })
}

export interface Stage {
  readonly world: World
  /** Of the sidecar and of Looker; the issuer lives by the machine's. */
  readonly clock: TurnedClock
  /** Calls so far that put tokens into Looker. */
  puts(): number
  /** What Looker has of a person's, in milliseconds since the epoch. */
  stateOf(person: string): { accessTokenExpiresAt: number; refreshTokenExpiresAt: number | undefined } | undefined
  /** The issuer as it is written in the configuration. */
  issuers(keys?: { login?: Written; lookerOAuth?: Written }): Written[]
  /** A sidecar where people sign in who bring their tokens to Looker. */
  sidecar(keys?: Parameters<Stage['issuers']>[0], sections?: Written): Promise<Sidecar>
}

export async function startStage(): Promise<Stage> {
  const clock = createTurnedClock()
  const world = await startWorld({ issuer: { accessTokenLifeSeconds: LIFE_SECONDS }, looker: { now: clock.now } })
  onTestFinished(() => world.close())
  const issuers: Stage['issuers'] = ({ login, lookerOAuth = { application: APPLICATION.name } } = {}) => [
    {
      name: 'corp',
      issuer: world.issuer.issuer,
      audiences: ['sallyport'],
      login: { ...LOGIN, ...login },
      lookerOAuth,
    },
  ]
  return {
    world,
    clock,
    puts: () => world.looker.calls.count(PUT_STATE),
    stateOf(person) {
      const user = world.looker.users.find(`corp|${person}`)
      return user && world.looker.oauthState(user.id, APPLICATION.id)
    },
    issuers,
    sidecar: (keys, sections) =>
      world.loginSidecar({ issuers: issuers(keys), grants: BIGQUERY_GRANTS, ...sections }, { clock }),
  }
}

/** Signs somebody in, with a browser of their own; the headers with which its pages ask. */
export async function signedIn(sidecar: Sidecar, person = 'ana'): Promise<Record<string, string>> {
  const browser = createBrowser()
  await signIn(sidecar, person, { browser })
  return asPage(sessionOf(browser, sidecar))
}

export function asPage(session: string | undefined): Record<string, string> {
  return { cookie: `sallyport=${session}`, 'sec-fetch-site': 'same-origin', 'user-agent': 'Mozilla/5.0 Firefox/140.0' }
}

export function lookerToken(sidecar: Pick<Sidecar, 'fetch'>, headers: Record<string, string>): Promise<Response> {
  return sidecar.fetch('/sallyport/looker/token', { method: 'POST', headers })
}

export function acquire(sidecar: Pick<Sidecar, 'fetch'>, headers: Record<string, string>): Promise<Response> {
  return sidecar.fetch('/sallyport/looker/embed/session', { headers })
}

/** The lines of the log that are at least warnings, without those about the set-up of every test. */
export function warningsOf({ logText }: Sidecar): Written[] {
  return logText()
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Written)
    .filter(({ level }) => level === 'warn' || level === 'error')
}

/** Not later than it is, in whole seconds. */
export function wholeSecond(milliseconds: number): number {
  return Math.floor(milliseconds / 1000) * 1000
}
