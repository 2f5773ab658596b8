import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.sidecar({ rules: [{ paths: ['/**'], access: 'public' }] })
})
afterAll(() => world.close())

const outcomeOf = (path: string): string | undefined => world.app.requests.findLast(({ url }) => url === path)?.outcome

test('http fact 4: before the app answers: the call to it is cancelled', async () => {
  const gone = new AbortController()
  const answer = sidecar.fetch('/slow?ms=600000', { signal: gone.signal })
  await vi.waitFor(() => expect(outcomeOf('/slow?ms=600000')).toBe('pending'))
  gone.abort()
  await expect(answer).rejects.toThrow()
  await vi.waitFor(() => expect(outcomeOf('/slow?ms=600000')).toBe('aborted'))
})

test('in the middle of the answer: the call to the app is cancelled', async () => {
  const gone = new AbortController()
  const response = await sidecar.fetch('/stream?seconds=600', { signal: gone.signal })
  await response.body?.getReader().read()
  gone.abort()
  await vi.waitFor(() => expect(outcomeOf('/stream?seconds=600')).toBe('aborted'))
})

test('in the middle of its own body: the call to the app is cancelled', async () => {
  const { hostname, port } = new URL(sidecar.url)
  const socket = connect(Number(port), hostname)
  await once(socket, 'connect')
  socket.write('POST /echo?half HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf')
  await vi.waitFor(() => expect(outcomeOf('/echo?half')).toBe('pending'))
  socket.destroy()
  await vi.waitFor(() => expect(outcomeOf('/echo?half')).toBe('aborted'))
})

test('it is recorded as 499 and not as a success, and the process serves on', async () => {
  const gone = new AbortController()
  const requestId = `gone-${Date.now()}`
  const init = { signal: gone.signal, headers: { 'x-request-id': requestId } }
  const answer = sidecar.fetch('/slow?ms=500000', init).catch(() => {})
  await vi.waitFor(() => expect(outcomeOf('/slow?ms=500000')).toBe('pending'))
  gone.abort()
  await answer
  await vi.waitFor(() => {
    const line = sidecar.audit.find(
      ({ metadata }) => (metadata as { correlation_uid: string }).correlation_uid === requestId,
    )
    expect(line).toMatchObject({ status_code: '499' })
  })
  expect(await sidecar.metrics()).toMatch(
    /^sallyport_http_requests_total\{route="app",method="GET",code="499"\} [1-9]/m,
  )
  expect((await sidecar.fetch('/public/hello.txt')).status).toBe(200)
})
