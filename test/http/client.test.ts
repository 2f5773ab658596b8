import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectProblem } from '../support/problem.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.sidecar()
})
afterAll(() => world.close())

test('GET /client.js is a module of less than 4 kB gzipped that imports nothing, for everybody', async () => {
  const response = await sidecar.fetch('/sallyport/client.js')
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-type': 'text/javascript',
    'cache-control': 'public, max-age=300',
    'x-content-type-options': 'nosniff',
    etag: expect.stringMatching(/^"[\w-]{22}"$/),
  })
  const text = await response.text()
  expect(gzipSync(text).length).toBeLessThan(4096)
  expect(text).not.toMatch(/^import |import\(/m)
  const last = { prefix: '/sallyport', lookerUrl: world.looker.url }
  expect(text).toMatch(new RegExp(`^Object\\.assign\\(served, ${RegExp.escape(JSON.stringify(last))}\\)\n$`, 'm'))
})

test('GET /client.js is not sent again to who has it', async () => {
  const etag = (await sidecar.fetch('/sallyport/client.js')).headers.get('etag') ?? ''
  for (const held of [etag, `W/${etag}`, `"other", ${etag}`]) {
    const response = await sidecar.fetch('/sallyport/client.js', { headers: { 'if-none-match': held } })
    expect([response.status, response.headers.get('etag'), await response.text()]).toEqual([304, etag, ''])
  }
  const other = await sidecar.fetch('/sallyport/client.js', { headers: { 'if-none-match': '"other"' } })
  expect(other.status).toBe(200)
})

test('the client knows the prefix it is served under', async () => {
  const server = { ...(world.written()['server'] as object), prefix: '/_/auth' }
  const text = await (await (await world.sidecar({ server })).fetch('/_/auth/client.js')).text()
  expect(text).toContain('{"prefix":"/_/auth"')
})

test('the client is read and not written', async () => {
  const response = await sidecar.fetch('/sallyport/client.js', { method: 'POST' })
  expect(response.headers.get('allow')).toBe('GET, HEAD')
  await expectProblem(response, 405, 'method-not-allowed')
  expect((await sidecar.fetch('/sallyport/client.js', { method: 'HEAD' })).status).toBe(200)
})
