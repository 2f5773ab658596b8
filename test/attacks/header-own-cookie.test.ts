import { afterAll, beforeAll, expect, test } from 'vitest'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

const SET = [
  '__Host-sallyport=planted; Path=/; Secure',
  'sallyport=planted',
  ' sallyport =planted',
  'sallyports=kept',
  'theme=dark',
]

let world: World
let sidecar: Sidecar
let upstream: Upstream
beforeAll(async () => {
  world = await startWorld()
  upstream = await startUpstream((_request, response) => response.setHeader('set-cookie', SET).end())
  sidecar = await world.sidecar({ app: { url: upstream.url }, rules: [{ paths: ['/**'], access: 'public' }] })
})
afterAll(async () => {
  await world.close()
  await upstream.close()
})

test.for([
  ['__Host-sallyport=s; theme=dark', 'theme=dark'],
  ['theme=dark; __Host-sallyport=s', 'theme=dark'],
  ['a=1;sallyport=s;b=2', 'a=1;b=2'],
  ['a=1; sallyport = s; b=2', 'a=1; b=2'],
  ['sallyports=1; x=sallyport', 'sallyports=1; x=sallyport'],
  ['__Host-sallyport=s', undefined],
  ['__Host-sallyport=s; sallyport=s', undefined],
] as const)('of the cookies “%s” the app gets “%s”', async ([sent, received]) => {
  await sidecar.fetch('/', { headers: { cookie: sent } })
  expect(upstream.requests.at(-1)?.headers.cookie).toBe(received)
})

test('the app cannot set Sallyport’s cookie, and can set its own', async () => {
  const response = await sidecar.fetch('/')
  expect(response.headers.getSetCookie()).toEqual(['sallyports=kept', 'theme=dark'])
})
