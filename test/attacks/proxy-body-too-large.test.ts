import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { expectProblem } from '../support/problem.ts'
import { startProxy } from '../support/proxy.ts'
import { rawRequest, sendRaw } from '../support/raw-http.ts'
import { json, type Sidecar, startWorld, type World } from '../support/world.ts'

const LIMIT = 1000

let world: World
let sidecar: Sidecar
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.sidecar({
    server: { ...(world.written()['server'] as object), maxBodyBytes: LIMIT },
    rules: [{ paths: ['/**'], access: 'public' }],
  })
})
afterAll(() => world.close())

/** In as many pieces, so that the length is not known before. */
const chunked = (size: number, pieces = 4): RequestInit & { duplex: 'half' } => ({
  method: 'POST',
  duplex: 'half',
  body: new ReadableStream({
    start(controller) {
      for (let piece = 0; piece < pieces; piece++) controller.enqueue(Buffer.alloc(size / pieces))
      controller.close()
    },
  }),
})

test('a body of exactly the limit passes, in chunks too', async () => {
  const inOne = await json(sidecar.fetch('/echo', { method: 'POST', body: Buffer.alloc(LIMIT) }))
  const inChunks = await json(sidecar.fetch('/echo', chunked(LIMIT)))
  expect([inOne['body'], inChunks['body']]).toMatchObject([{ length: LIMIT }, { length: LIMIT }])
})

test.for(['application/octet-stream', 'application/json', 'text/plain'])(
  'case 83, http fact 9: a length over the limit is 413 as %s, and nothing goes upstream',
  async type => {
    const target = `/echo?${type}`
    const init = { method: 'POST', body: Buffer.alloc(LIMIT + 1), headers: { 'content-type': type } }
    await expectProblem(await sidecar.fetch(target, init), 413, 'too-large')
    expect(world.app.requests.filter(({ url }) => url === target)).toEqual([])
  },
)

test('case 83: a length over the limit is 413 before the body is here', async () => {
  const headers = ['Host: a', 'Content-Length: 1000000000', 'Expect: 100-continue']
  const { head, body } = await sendRaw(sidecar.url, rawRequest('POST /echo', headers))
  expect(`${head}${body}`).toContain('HTTP/1.1 413')
})

test.for([LIMIT + 4, 4_000_000])('case 83: chunks that come to %i bytes are 413', async size => {
  await expectProblem(await sidecar.fetch('/echo', chunked(size)), 413, 'too-large')
})

test('the app sees a body that was cut as an aborted one', async () => {
  await (await sidecar.fetch('/echo?cut', chunked(8 * LIMIT, 8))).text()
  const seen = world.app.requests.filter(({ url }) => url === '/echo?cut')
  expect(seen.filter(({ outcome }) => outcome === 'finished')).toEqual([])
})

test('a form for Sallyport’s own endpoints has a limit of its own', async () => {
  const body = new URLSearchParams({ grant_type: 'x'.repeat(70_000) })
  expect((await sidecar.fetch('/sallyport/token', { method: 'POST', body })).status).toBe(400)
  const authorization = `Bearer ${await world.issuer.sign({ sub: 'ana' })}`
  const response = await sidecar.fetch('/sallyport/looker/token', { method: 'POST', body, headers: { authorization } })
  await expectProblem(response, 413, 'too-large')
})

test('a form that is refused for its length leaves nothing behind that could end the process', async () => {
  const proxy = await startProxy('http://127.0.0.1:9', {
    patience: { headers: 5000, body: 5000, form: 50, keepAlive: 5000, check: 1000 },
  })
  const errors: unknown[] = []
  const hear = (error: unknown): unknown => errors.push(error)
  process.on('uncaughtExceptionMonitor', hear)
  onTestFinished(() => void process.off('uncaughtExceptionMonitor', hear))
  const body = new URLSearchParams({ grant_type: 'x'.repeat(70_000) })
  const headers = { authorization: 'Bearer ana' }
  const response = await fetch(`${proxy.url}/sallyport/looker/token`, { method: 'POST', body, headers })
  await response.text()
  await new Promise(resolve => setTimeout(resolve, 150))
  expect([response.status, errors]).toEqual([413, []])
})
