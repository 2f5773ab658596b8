import type { IncomingMessage, ServerResponse } from 'node:http'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { connectLooker } from '../../src/browser/client.ts'
import { startUpstream } from '../support/upstream.ts'
import { refusalOf, setPage, timesOf } from './page.ts'

const TOKEN = '/sallyport/looker/token'

const page = setPage()

describe('getToken', () => {
  test('gives what Sallyport answers, and one request serves everybody who asks', async () => {
    const looker = page.connect()
    const tokens = await Promise.all(Array.from({ length: 30 }, () => looker.getToken()))
    expect(tokens[0]).toEqual({
      access_token: expect.stringMatching(/^\S{16,}$/),
      token_type: 'Bearer',
      expires_in: expect.any(Number),
      expires_at: expect.any(String),
      base_url: page.world.looker.url,
      looker_user_id: page.lookerIdOf('ana'),
      grant: 'explorer',
    })
    expect(new Set(tokens.map(token => token.access_token)).size).toBe(1)
    expect(page.sent).toEqual([`POST ${TOKEN}`])
  })

  test('asks again 10 s before the end, and says what is left until then', async () => {
    const looker = page.connect()
    const { expires_in: life } = await looker.getToken()
    page.turn(life - 12)
    expect((await looker.getToken()).expires_in).toBe(12)
    expect(page.sent).toHaveLength(1)
    page.turn(3)
    expect((await looker.getToken()).expires_in).toBeGreaterThan(12)
    expect(page.sent).toHaveLength(2)
  })

  test('without a session rejects, and says once that the person has to sign in', async () => {
    page.become(undefined)
    const looker = page.connect()
    const times = timesOf(looker, 'signInNeeded')
    const errors = await Promise.all([looker.getToken(), looker.getToken()].map(refusalOf))
    expect(errors[0]).toMatchObject({
      status: 401,
      type: 'urn:sallyport:problem:unauthenticated',
      detail: expect.stringMatching(/\S/),
      requestId: expect.stringMatching(/^[\w-]{8,64}$/),
    })
    await refusalOf(looker.getToken())
    expect(times()).toBe(1)

    page.become('ana')
    expect((await looker.getToken()).grant).toBe('explorer')
    page.become(undefined)
    page.turn(100_000)
    await refusalOf(looker.getToken())
    expect(times()).toBe(2)
  })

  test('of somebody without a grant says so, and signing in would not help', async () => {
    page.become('nora')
    const looker = page.connect()
    const times = timesOf(looker, 'signInNeeded')
    const error = await refusalOf(looker.getToken())
    expect(error).toMatchObject({ status: 403, type: 'urn:sallyport:problem:no-grant' })
    expect(error.message).toMatch(/^No grant gives this person access/)
    expect(times()).toBe(0)
  })

  test('is not for whoever signs in next: the page shows what is somebody else’s', async () => {
    const looker = page.connect()
    const times = timesOf(looker, 'signInNeeded')
    await looker.getToken()
    page.become('vic')
    page.turn(110)
    expect(await refusalOf(looker.getToken())).toMatchObject({ status: 401, type: 'about:blank' })
    expect(times()).toBe(1)
  })
})

describe('a Sallyport in trouble', () => {
  const from = async (answer: (request: IncomingMessage, response: ServerResponse, count: number) => void) => {
    const upstream = await startUpstream((request, response) => answer(request, response, upstream.requests.length))
    onTestFinished(() => upstream.close())
    return { looker: connectLooker({ prefix: upstream.url }), requests: upstream.requests }
  }
  const problem = { type: 'urn:sallyport:problem:overloaded', detail: 'Too much is going on.', instance: 'request-1' }
  const token = {
    access_token: 'a-token',
    token_type: 'Bearer',
    expires_in: 25,
    expires_at: new Date().toISOString(),
    base_url: 'https://looker.example.com',
    looker_user_id: '7',
    grant: 'viewer',
  }

  test('that says when to come back is asked once more, then', async () => {
    const { looker, requests } = await from((_request, response, count) => {
      if (count === 1) response.writeHead(503, { 'retry-after': '1' }).end(JSON.stringify(problem))
      else response.end(JSON.stringify(token))
    })
    const begun = performance.now()
    expect((await looker.getToken()).access_token).toBe('a-token')
    expect(performance.now() - begun).toBeGreaterThan(990)
    expect(requests).toHaveLength(2)
  })

  test.for([
    ['0', 1],
    ['3600', 1],
    ['Fri, 31 Dec 2027 23:59:59 GMT', 1],
    ['0.1', 2],
  ] as const)('with Retry-After %s is asked %i times in all', async ([after, times]) => {
    const { looker, requests } = await from((_request, response) => {
      response.writeHead(503, { 'retry-after': after }).end(JSON.stringify(problem))
    })
    const error = await refusalOf(looker.getToken())
    expect(error).toMatchObject({ status: 503, type: problem.type, detail: problem.detail, requestId: 'request-1' })
    expect(requests).toHaveLength(times)
  })

  test('behind an ingress that answers in its place', async () => {
    const { looker } = await from((request, response) => {
      response.writeHead(request.method === 'POST' ? 502 : 200, { 'content-type': 'text/html' }).end('<h1>Oh</h1>')
    })
    const error = await refusalOf(looker.getToken())
    expect(error).toMatchObject({ status: 502, type: 'about:blank', requestId: undefined })
  })

  test('or a page of somebody else’s with 200', async () => {
    const { looker } = await from((_request, response) => response.end('<h1>Welcome</h1>'))
    expect(await refusalOf(looker.getToken())).toMatchObject({ status: 200, type: 'about:blank' })
  })

  test('that is not there', async () => {
    const { looker } = await from((request, _response) => request.socket.destroy())
    const error = await refusalOf(looker.getToken())
    expect(error).toMatchObject({ status: 0, type: 'about:blank', message: 'Sallyport cannot be reached.' })
    expect(error.cause).toBeInstanceOf(TypeError)
  })

  test('or slow: the life of a token counts from before it was asked for', async () => {
    const { looker, requests } = await from((_request, response) => {
      page.turn(20)
      response.end(JSON.stringify(token))
    })
    expect((await looker.getToken()).expires_in).toBe(5)
    await looker.getToken()
    expect(requests).toHaveLength(2)
  })
})

test('signIn goes to the sign-in, and on to the page it was called from', () => {
  const assign = vi.fn<(url: string) => void>()
  vi.stubGlobal('location', { pathname: '/sales', search: '?region=EMEA&x=1', hash: '#top', assign })
  const looker = connectLooker({ prefix: '/_/auth' })
  looker.addEventListener('signInNeeded', looker.signIn)
  looker.dispatchEvent(new Event('signInNeeded'))
  expect(assign).toHaveBeenCalledWith('/_/auth/login?return_to=%2Fsales%3Fregion%3DEMEA%26x%3D1%23top')
})
