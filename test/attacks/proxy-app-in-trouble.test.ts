import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { expectProblem } from '../support/problem.ts'
import { rawRequest, sendRaw } from '../support/raw-http.ts'
import { freePort } from '../../demo/free-port.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let upstream: Upstream
let sidecar: Sidecar
let down: Sidecar
let listener: RequestListener
const rules = [{ paths: ['/**'], access: 'public' }]
beforeAll(async () => {
  world = await startWorld()
  upstream = await startUpstream((request, response) => listener(request, response))
  sidecar = await world.sidecar({ app: { url: upstream.url, timeoutSeconds: 0.3 }, rules })
  down = await world.sidecar({ app: { url: `http://127.0.0.1:${await freePort()}` }, rules })
})
beforeEach(() => {
  listener = () => {}
})
afterAll(async () => {
  await world.close()
  await upstream.close()
})

const answerThenDie = (_request: IncomingMessage, response: ServerResponse, headers: Record<string, string>): void => {
  response.writeHead(200, headers)
  response.write('the first half', () => response.destroy())
}

describe('an app that is down', () => {
  test.for(['GET', 'HEAD', 'POST', 'DELETE'])('http fact 10: is 502 app-unavailable to %s', async method => {
    const response = await down.fetch('/x', { method })
    if (method === 'HEAD') expect(response.status).toBe(502)
    else await expectProblem(response, 502, 'app-unavailable')
  })

  test('is 502 to a body that is under way, whatever its size', async () => {
    for (const size of [10, 100_000, 3_000_000]) {
      const response = await down.fetch('/x', { method: 'POST', body: Buffer.alloc(size) })
      await expectProblem(response, 502, 'app-unavailable')
    }
  })

  test('leaves no connection stuck behind a body that nobody read', async () => {
    const first = `POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n${'x'.repeat(3_000_000)}`
    const { head, body } = await sendRaw(down.url, first + rawRequest('GET /y', ['Host: a']))
    expect(`${head}${body}`.match(/HTTP\/1\.1 502/g)).toHaveLength(2)
  })

  test('does not show its address in a header', async () => {
    const response = await down.fetch('/x')
    expect(JSON.stringify([...response.headers])).not.toMatch(/127\.0\.0\.1|ECONN/)
  })
})

describe('an app that is slow', () => {
  test('is 504 app-unavailable', async () => {
    await expectProblem(await sidecar.fetch('/x'), 504, 'app-unavailable')
  })

  test('is 504 to a body that it does not read', async () => {
    const response = await sidecar.fetch('/x', { method: 'POST', body: Buffer.alloc(3_000_000) })
    await expectProblem(response, 504, 'app-unavailable')
  })

  test('may take its time between two pieces of an answer', async () => {
    listener = (_request, response) => {
      response.write('a')
      setTimeout(() => response.end('b'), 600)
    }
    expect(await (await sidecar.fetch('/x')).text()).toBe('ab')
  })
})

describe('an app that dies', () => {
  test('before its answer is 502', async () => {
    listener = request => request.socket.destroy()
    await expectProblem(await sidecar.fetch('/x'), 502, 'app-unavailable')
  })

  test.for(['POST', 'PUT', 'PATCH', 'DELETE', 'GET'])('case 80: is not asked again, with %s', async method => {
    listener = request => request.socket.destroy()
    const before = upstream.requests.length
    await expectProblem(await sidecar.fetch('/x', { method }), 502, 'app-unavailable')
    expect(upstream.requests.length).toBe(before + 1)
  })

  test('while it takes a body is 502', async () => {
    listener = request => void request.once('data', () => request.socket.destroy())
    const response = await sidecar.fetch('/x', { method: 'POST', body: Buffer.alloc(200_000) })
    await expectProblem(response, 502, 'app-unavailable')
  })

  test.for([{ 'content-length': '1000' }, { 'transfer-encoding': 'chunked' }])(
    'case 80: in the middle of its answer leaves an aborted body: %j',
    async headers => {
      listener = (request, response) => answerThenDie(request, response, headers)
      const response = await sidecar.fetch('/x')
      expect(response.status).toBe(200)
      await expect(response.text()).rejects.toThrow()
    },
  )

  test('case 80: in the middle of chunks leaves them without an end', async () => {
    listener = (request, response) => answerThenDie(request, response, { 'transfer-encoding': 'chunked' })
    const { body } = await sendRaw(sidecar.url, rawRequest('GET /x', ['Host: a']))
    expect(body).toContain('the first half')
    expect(body).not.toMatch(/(^|\r\n)0\r\n\r\n$/)
  })

  test('in the middle of its answer is counted, and is no success to an auditor', async () => {
    listener = (request, response) => answerThenDie(request, response, { 'content-length': '1000' })
    const requestId = `dies-${Date.now()}`
    await (await sidecar.fetch('/x', { headers: { 'x-request-id': requestId } })).text().catch(() => {})
    await vi.waitFor(() => {
      const line = sidecar.audit.find(
        ({ metadata }) => (metadata as { correlation_uid: string }).correlation_uid === requestId,
      )
      expect(line).toMatchObject({ status_id: 2, status_detail: 'app-unavailable' })
    })
    expect(await sidecar.metrics()).toMatch(/^sallyport_upstream_errors_total\{upstream="app",reason="reset"\} [1-9]/m)
  })
})

test('an answer that is not HTTP is 502', async () => {
  listener = request => void request.socket.end('SSH-2.0-OpenSSH_9.9\r\n')
  await expectProblem(await sidecar.fetch('/x'), 502, 'app-unavailable')
})
