import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from 'vitest'
import { connectLooker, type Looker, SallyportError } from '../../src/browser/client.ts'
import { sessionOf, signIn } from '../support/sign-in.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

/** A page of a sidecar's origin, as far as its scripts can tell; Ana is signed in when a test begins. */
export interface Page {
  readonly world: World
  readonly sidecar: Sidecar
  connect(): Looker
  /** Whose session the browser has from now on. */
  become(person: 'ana' | 'vic' | 'nora' | undefined): void
  /** What the page sent, as `POST /path`. */
  readonly sent: string[]
  /** Called before each request; what it waits for, the request waits for. */
  beforeSending(hook: (line: string) => Promise<unknown> | undefined): void
  /** Moves the time on, in the page, at Sallyport and at Looker. */
  turn(seconds: number): void
  lookerIdOf(person: string): string | undefined
  /** How often Looker was asked for a token of somebody's. */
  logins(): number
}

export function setPage(): Page {
  let parts: { world: World; sidecar: Sidecar } | undefined
  const cookies: Record<string, string | undefined> = {}
  let cookie: string | undefined
  let hook: (line: string) => Promise<unknown> | undefined
  const sent: string[] = []
  const started = (): { world: World; sidecar: Sidecar } => {
    if (parts === undefined) throw new Error('the page has not been set up yet')
    return parts
  }
  /** The test before may have had Looker revoke it. */
  const dropToken = async (): Promise<void> => {
    const { url } = started().sidecar
    const headers = { cookie: `sallyport=${cookie}`, origin: url }
    const { status } = await fetch(`${url}/sallyport/looker/token`, { method: 'DELETE', headers })
    expect(status).toBe(204)
  }
  beforeAll(async () => {
    const world = await startWorld({ looker: { tokenLifeSeconds: 120 } })
    const sidecar = await world.loginSidecar()
    parts = { world, sidecar }
    for (const person of ['ana', 'vic', 'nora']) {
      cookies[person] = sessionOf((await signIn(sidecar, person)).browser, sidecar)
    }
  })
  beforeEach(async () => {
    cookie = cookies['ana']
    await dropToken()
    hook = () => undefined
    sent.length = 0
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
    // The part of a browser: the cookie, and the origin.
    const network = globalThis.fetch
    vi.stubGlobal('fetch', async (input: string | URL, init: RequestInit = {}) => {
      const url = new URL(input)
      const line = `${init.method ?? 'GET'} ${url.pathname}`
      sent.push(line)
      await hook(line)
      const headers = new Headers(init.headers)
      const isOwn = url.origin === started().sidecar.url
      if (isOwn) headers.set('origin', url.origin)
      if (cookie !== undefined && (init.credentials === 'include' || (isOwn && init.credentials !== 'omit'))) {
        headers.set('cookie', `sallyport=${cookie}`)
      }
      return network(url, { ...init, headers })
    })
  })
  afterEach(() => {
    vi.useRealTimers()
    vi.unstubAllGlobals()
    started().world.looker.faults.clear()
  })
  afterAll(() => parts?.world.close())

  return {
    get world() {
      return started().world
    },
    get sidecar() {
      return started().sidecar
    },
    connect: () =>
      connectLooker({ prefix: `${started().sidecar.url}/sallyport`, lookerUrl: started().world.looker.url }),
    become(person) {
      cookie = person === undefined ? undefined : cookies[person]
    },
    sent,
    beforeSending(next) {
      hook = next
    },
    turn: seconds => void vi.setSystemTime(Date.now() + seconds * 1000),
    lookerIdOf: person => started().world.looker.users.find(`corp|${person}`)?.id,
    logins: () => started().world.looker.calls.count('login_user'),
  }
}

/** How often the event came. */
export function timesOf(looker: Looker, event: string): () => number {
  const listener = vi.fn<() => void>()
  looker.addEventListener(event, listener)
  return () => listener.mock.calls.length
}

export async function refusalOf(work: Promise<unknown>): Promise<SallyportError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(SallyportError)
  return error as SallyportError
}
