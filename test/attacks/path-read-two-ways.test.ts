import { afterAll, beforeAll, expect, test } from 'vitest'
import { rawRequest, sendRaw } from '../support/raw-http.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.sidecar({ rules: [{ paths: ['/open/**'], access: 'public' }] })
})
afterAll(() => world.close())

test.for([
  '/open/../admin',
  '/open/./x',
  '/open/..',
  '/open/.',
  '/open/%2e%2e/admin',
  '/open/%2E%2e/admin',
  '/open/.%2e/admin',
  '/open/%252e%252e/admin',
  '/open%2f..%2fadmin',
  '/open/%2Fadmin',
  '/open/%252fadmin',
  '/open/..%5cadmin',
  '/open/%5C..%5Cadmin',
  '/open\\..\\admin',
  '/open/..;/admin',
  '/open/x;jsessionid=1',
  '/open/%3b/admin',
  '/open//admin',
  '//open/x',
  '//evil.example/open/x',
  '/open/x%00.png',
  '/open/%0d%0aX-Forwarded-User:%20admin',
  '/open/%61dmin',
  '/open/%zz',
  '/open/%',
  '/open/%a',
  '/%zz',
  '/open/%ff%2e',
  '/open/<script>',
  '/open/"',
  '/open/{x}',
  '/open/x#fragment',
  '/open/x?query#fragment',
  '/open/é',
  '/sallyport/../open/x',
  '/open/../sallyport/session',
  'http://evil.example/open/x',
  'open/x',
  '*',
])('case 77, http fact 1: “%s” is 400 and nothing goes upstream', async path => {
  const before = world.app.requests.length
  const { status, head, body } = await sendRaw(sidecar.url, rawRequest(`GET ${path}`, ['Host: a']))
  expect({ status, body }).toMatchObject({
    status: 400,
    body: expect.stringContaining('urn:sallyport:problem:bad-request'),
  })
  expect(head).toMatch(/^content-type: application\/problem\+json\r?$/im)
  expect(head).not.toMatch(/x-forwarded-user/i)
  expect(world.app.requests.length).toBe(before)
})

test.for([
  '/open/a-b_c.d~e',
  '/open/...',
  '/open/.well-known',
  '/open/a..b',
  '/open/%C3%A9',
  '/open/%20',
  "/open/!$&'()*+,=:@",
  '/open/[a]|b',
  '/open/x?a=%2e%2e&b=//&c=\\&d=%zz&e[]=1&e[]=2',
  '/open/x?',
  '/open/x??a&&b==',
  '/open/x?q=%E2%82%AC+%20"<>{}^`',
])('case 77, http fact 1: “%s” is read in one way only, and arrives as it was sent to the byte', async target => {
  await sendRaw(sidecar.url, rawRequest(`GET ${target}`, ['Host: a']))
  expect(world.app.requests.at(-1)?.url).toBe(target)
})
