import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectProblem } from '../support/problem.ts'
import { json, type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
let broker: Sidecar
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.sidecar()
  broker = await world.sidecar({ app: undefined })
})
afterAll(() => world.close())

const as = async (sub: string, claims = {}): Promise<RequestInit> => ({
  headers: { authorization: `Bearer ${await world.issuer.sign({ sub, ...claims })}` },
})

describe('GET /session', () => {
  test('says who the caller is and what they were granted, and never a token', async () => {
    const exp = Math.floor(Date.now() / 1000) + 600
    const init = await as('ana', { exp })
    const response = await sidecar.fetch('/sallyport/session', init)
    expect(response.status).toBe(200)
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await json(response)).toEqual({
      subject: 'ana',
      email: 'ana@example.com',
      name: 'Ana Alvarez',
      groups: ['analytics'],
      issuer: 'corp',
      grant: 'explorer',
      expires_at: new Date(exp * 1000).toISOString(),
    })
  })

  test('has null for what the issuer did not say, and for a grant that is not there', async () => {
    const init = await as('nora', { email: undefined, name: undefined })
    expect(await json(sidecar.fetch('/sallyport/session', init))).toMatchObject({
      subject: 'nora',
      email: null,
      name: null,
      groups: [],
      grant: null,
    })
  })

  test('asks nothing of Looker', async () => {
    const before = world.looker.calls.count()
    await sidecar.fetch('/sallyport/session', await as('ana'))
    expect(world.looker.calls.count()).toBe(before)
  })

  test('needs an identity', async () => {
    await expectProblem(await sidecar.fetch('/sallyport/session'), 401, 'unauthenticated')
  })

  test('POST is 405', async () => {
    const response = await sidecar.fetch('/sallyport/session', { ...(await as('ana')), method: 'POST' })
    expect(response.headers.get('allow')).toBe('GET, HEAD')
    await expectProblem(response, 405, 'method-not-allowed')
  })
})

describe('the prefix', () => {
  test.for(['', '/', '/nothing', '/token/', '/token/x', '/looker', '/looker/token/1'])(
    '/sallyport%s is 404 and never the app’s',
    async path => {
      const before = world.app.requests.length
      await expectProblem(await sidecar.fetch(`/sallyport${path}`, await as('ana')), 404, 'not-found')
      expect(world.app.requests.length).toBe(before)
    },
  )

  test.for(['/sallyports', '/sallyport-x', '/app/sallyport/token'])(
    '%s only looks like it and is the app’s',
    async path => {
      await sidecar.fetch(path, await as('ana'))
      expect(world.app.requests.at(-1)?.url).toBe(path)
    },
  )

  test('can be another, and then /sallyport is the app’s', async () => {
    const moved = await world.sidecar({ server: { ...(world.written()['server'] as object), prefix: '/_/auth' } })
    expect((await moved.fetch('/_/auth/session', await as('ana'))).status).toBe(200)
    await moved.fetch('/sallyport/session', await as('ana'))
    expect(world.app.requests.at(-1)?.url).toBe('/sallyport/session')
  })
})

describe('without an app Sallyport is a broker only', () => {
  test.for(['GET', 'POST', 'DELETE', 'OPTIONS'])(
    '%s of any other path is 404, with and without an identity',
    async method => {
      for (const init of [{}, await as('ana')]) {
        await expectProblem(await broker.fetch('/anything', { ...init, method }), 404, 'not-found')
        await expectProblem(await broker.fetch('/', { ...init, method }), 404, 'not-found')
      }
    },
  )

  test('its own endpoints are there', async () => {
    expect(await json(broker.exchange(await world.issuer.sign({ sub: 'ana' })))).toMatchObject({ scope: 'explorer' })
    expect((await broker.fetch('/sallyport/session', await as('ana'))).status).toBe(200)
  })
})

test.for(['/metrics', '/livez', '/readyz', '/version'])('%s of the admin listener is not on this port', async path => {
  await expectProblem(await broker.fetch(path), 404, 'not-found')
  await expectProblem(await broker.fetch(`/sallyport${path}`), 404, 'not-found')
  expect((await fetch(`${broker.adminUrl}${path}`)).status).toBe(200)
})
