import { afterAll, beforeAll, expect, test } from 'vitest'
import { rawRequest, sendRaw } from '../support/raw-http.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

/** Each is ours, would be taken for ours, or would come back from a browser as ours. */
const PLANTED = [
  '__Host-sallyport=planted; Path=/; Secure',
  'sallyport=planted',
  ' sallyport =planted',
  '\tsallyport\t=planted',
  '__Host-sallyport=planted; Domain=example.com; Path=/admin; Max-Age=99999999; SameSite=None; Secure; HttpOnly',
  '__host-sallyport=planted; Secure; Path=/',
  '__HOST-SALLYPORT=planted; Secure; Path=/',
  '__Secure-sallyport=planted; Secure',
  '__Http-sallyport=planted; Secure; HttpOnly',
  '__Host-Http-sallyport=planted; Secure; HttpOnly; Path=/',
  'Sallyport=planted',
  'sallyport-login=planted',
  '__Host-sallyport-login=planted; Secure; Path=/',
  '__Host-sallyport-login-7f3a=planted; Secure; Path=/',
  'sallyport_0=planted',
  '__Host-sallyport.1=planted; Secure; Path=/',
  '=sallyport=planted',
  '=__Host-sallyport=planted; Secure; Path=/',
  ' = sallyport=planted',
  '==sallyport=planted',
  'sallyport',
  'sallyport=; Max-Age=0',
  '__Host-sallyport=; expires=Thu, 01 Jan 1970 00:00:00 GMT; Secure; Path=/',
]
const KEPT = [
  'sallyports=kept',
  'my-sallyport=kept',
  'theme=dark; Path=/sallyport',
  'x=sallyport',
  'x==sallyport=1',
  '__Host-app=kept; Secure; Path=/',
  'a=1, sallyport=2',
]

let world: World
let sidecar: Sidecar
let upstream: Upstream
beforeAll(async () => {
  world = await startWorld()
  upstream = await startUpstream((request, response) => {
    const cookies = request.url === '/one' ? PLANTED[0] : [...PLANTED, ...KEPT]
    response.setHeader('set-cookie', cookies ?? []).end()
  })
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
  ['a=1; __Host-sallyport-login=s; sallyport-login=s; b=2', 'a=1; b=2'],
  ['__host-SALLYPORT=s; a=1', 'a=1'],
  ['a="x; __Host-sallyport=s"; b=2', 'a="x; b=2'],
  ['a=1;;  ;__Host-sallyport=s;', 'a=1;;  ;'],
  ['sallyport', undefined],
] as const)('case 82: of the cookies “%s” the app gets “%s”', async ([sent, received]) => {
  await sidecar.fetch('/', { headers: { cookie: sent } })
  expect(upstream.requests.at(-1)?.headers.cookie).toBe(received)
})

test('case 82: of several Cookie headers none brings ours to the app', async () => {
  const lines = ['Cookie: a=1; __Host-sallyport=s', 'COOKIE: __Host-sallyport=s', 'cookie: sallyport-login=s; b=2']
  await sendRaw(sidecar.url, rawRequest('GET /', ['Host: a', ...lines]))
  expect(
    upstream.requests.at(-1)?.rawHeaders.filter((_, index, raw) => raw[index - 1]?.toLowerCase() === 'cookie'),
  ).toEqual(['a=1', 'b=2'])
})

test('case 82: the app cannot set Sallyport’s cookies, in no spelling, and can set its own', async () => {
  const response = await sidecar.fetch('/')
  expect(response.headers.getSetCookie()).toEqual(KEPT)
})

test('case 82: nor can it where it sets one alone', async () => {
  const response = await sidecar.fetch('/one')
  expect(response.headers.getSetCookie()).toEqual([])
})
