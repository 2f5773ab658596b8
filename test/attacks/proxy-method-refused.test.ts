import { afterAll, beforeAll, expect, test } from 'vitest'
import { rawRequest, sendRaw } from '../support/raw-http.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
let withCors: Sidecar
beforeAll(async () => {
  world = await startWorld()
  const rules = [{ paths: ['/**'], access: 'public' }]
  sidecar = await world.sidecar({ rules })
  withCors = await world.sidecar({ rules, cors: { origins: ['https://app.example.com'] } })
})
afterAll(() => world.close())

const HEADERS = ['Host: app.example.com', 'X-Canary: shown-back']

test.for(['TRACE', 'TRACK', 'PROPFIND', 'LINK', 'QUERY', 'PURGE', 'GETS', 'get'])(
  'case 78: %s is refused with a problem document, shows nothing back, and nothing goes upstream',
  async method => {
    for (const one of [sidecar, withCors]) {
      for (const path of ['/echo', '/sallyport/session', '/sallyport/token']) {
        const before = world.app.requests.length
        const { status, head, body } = await sendRaw(one.url, rawRequest(`${method} ${path}`, HEADERS))
        expect(status).toBeGreaterThanOrEqual(400)
        expect(status).toBeLessThan(500)
        expect(head).toMatch(/^content-type: application\/problem\+json\r?$/im)
        expect(body).not.toContain('shown-back')
        expect(world.app.requests.length).toBe(before)
      }
    }
  },
)

test.for(['other.example.com:443', '/echo'])(
  'case 78: CONNECT %s opens no tunnel, and nothing goes upstream',
  async target => {
    const before = world.app.requests.length
    const { head } = await sendRaw(sidecar.url, rawRequest(`CONNECT ${target}`, HEADERS))
    expect(head).not.toMatch(/^HTTP\/1\.1 2/)
    expect(world.app.requests.length).toBe(before)
  },
)
