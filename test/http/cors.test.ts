import type { ServerResponse } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectProblem } from '../support/problem.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

const OURS = 'https://app.example.com'
const PATHS = ['/sallyport/token', '/sallyport/looker/token', '/sallyport/session', '/sallyport/nothing', '/of-the-app']
const NOT_OURS = [
  'null',
  'https://evil.example',
  'https://app.example.com.evil.example',
  'https://evilapp.example.com',
  'http://app.example.com',
  'https://app.example.com:8443',
  'https://APP.example.com',
  'https://app.example.com/',
  '*',
]

let world: World
let upstream: Upstream
let sidecar: Sidecar
let answer: (response: ServerResponse) => void = response => void response.end('hello')
beforeAll(async () => {
  world = await startWorld()
  upstream = await startUpstream((_request, response) => answer(response))
  sidecar = await world.sidecar({ app: { url: upstream.url }, cors: { origins: [OURS, 'https://two.example.com'] } })
})
afterAll(async () => {
  await world.close()
  await upstream.close()
})

const preflight = (path: string, origin: string): Promise<Response> =>
  sidecar.fetch(path, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
  })
const varies = (response: Response): string => (response.headers.get('vary') ?? '').toLowerCase()

describe('case 85: a preflight', () => {
  test.for(PATHS)('http fact 14: of an origin of ours is answered for %s, and nothing goes upstream', async path => {
    const [upstreamBefore, lookerBefore] = [upstream.requests.length, world.looker.calls.count()]
    const response = await preflight(path, OURS)
    expect(response.status).toBe(204)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'access-control-allow-origin': OURS,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': expect.stringMatching(/POST.*DELETE/),
      'access-control-allow-headers': 'authorization',
    })
    expect(varies(response)).toContain('origin')
    expect([upstream.requests.length, world.looker.calls.count()]).toEqual([upstreamBefore, lookerBefore])
  })

  test.for(NOT_OURS)('of %s lets nothing in, and nothing goes upstream', async origin => {
    const before = upstream.requests.length
    for (const path of PATHS) {
      const response = await preflight(path, origin)
      expect(response.headers.get('access-control-allow-origin')).toBeNull()
      expect(varies(response)).toContain('origin')
    }
    expect(upstream.requests.length).toBe(before)
  })

  test('that is none is a problem document', async () => {
    await expectProblem(await sidecar.fetch('/of-the-app', { method: 'OPTIONS' }), 400, 'bad-request')
  })
})

describe('case 85: an answer', () => {
  test.for([OURS, 'https://two.example.com'])('to %s may be read by it, refusals too', async origin => {
    for (const path of PATHS) {
      const response = await sidecar.fetch(path, { headers: { origin } })
      expect(response.status).toBeGreaterThanOrEqual(400)
      expect(response.headers.get('access-control-allow-origin')).toBe(origin)
      expect(response.headers.get('access-control-allow-credentials')).toBe('true')
      const exposed = response.headers.get('access-control-expose-headers')?.toLowerCase().split(/, */)
      expect(exposed).toEqual(expect.arrayContaining(['x-request-id', 'retry-after', 'www-authenticate']))
      expect(varies(response)).toContain('origin')
    }
  })

  test.for(NOT_OURS)('to %s may not be read by it', async origin => {
    for (const path of PATHS) {
      const response = await sidecar.fetch(path, { headers: { origin } })
      expect(response.headers.get('access-control-allow-origin')).toBeNull()
      expect(varies(response)).toContain('origin')
    }
  })

  test('of the app keeps what it varies by, and has its CORS headers from Sallyport', async () => {
    answer = response => {
      response.writeHead(200, { vary: 'Accept-Encoding', 'access-control-allow-origin': '*', 'x-app': 'kept' }).end()
    }
    const authorization = `Bearer ${await world.issuer.sign({ sub: 'ana' })}`
    const response = await sidecar.fetch('/of-the-app', { headers: { origin: OURS, authorization } })
    expect(response.headers.get('access-control-allow-origin')).toBe(OURS)
    expect(varies(response)).toContain('accept-encoding')
    expect(varies(response)).toContain('origin')
    expect(response.headers.get('x-app')).toBe('kept')
  })
})

test('case 85: an app that lets everybody read lets nobody but our origins read', async () => {
  answer = response => {
    response
      .writeHead(200, { 'access-control-allow-origin': 'https://evil.example', 'access-control-max-age': '9' })
      .end()
  }
  const authorization = `Bearer ${await world.issuer.sign({ sub: 'ana' })}`
  const response = await sidecar.fetch('/of-the-app', { headers: { origin: 'https://evil.example', authorization } })
  expect(response.status).toBe(200)
  expect(response.headers.get('access-control-allow-origin')).toBeNull()
  expect(response.headers.get('access-control-max-age')).toBeNull()
})

test('an ingress that asks about a preflight is told what the rules say, and not that all is well', async () => {
  const one = await world.sidecar({
    server: { publicUrl: 'http://127.0.0.1:8080', trustedProxies: ['127.0.0.1'] },
    cors: { origins: [OURS] },
  })
  const headers = { origin: OURS, 'access-control-request-method': 'POST' }
  const asked = { ...headers, 'x-forwarded-method': 'OPTIONS', 'x-forwarded-uri': '/of-the-app' }
  await expectProblem(
    await one.fetch('/sallyport/check', { method: 'OPTIONS', headers: asked }),
    401,
    'unauthenticated',
  )
  await expectProblem(
    await one.fetch('/sallyport/check/of-the-app', { method: 'OPTIONS', headers }),
    401,
    'unauthenticated',
  )
})

test('case 85: without origins configured no answer speaks of CORS', async () => {
  const one = await world.sidecar()
  for (const path of PATHS) {
    const response = await one.fetch(path, { headers: { origin: OURS } })
    expect([...response.headers.keys()].filter(name => name.startsWith('access-control-'))).toEqual([])
  }
})
