import { expect, onTestFinished, test } from 'vitest'
import { startProxy } from '../support/proxy.ts'
import { rawRequest, sendRaw } from '../support/raw-http.ts'
import { startUpstream } from '../support/upstream.ts'

/** What the app gets of these headers, and where the request came from for an auditor. */
async function forwarded(trustedProxies: string[], headers: string[]): Promise<Record<string, unknown>> {
  const upstream = await startUpstream((_request, response) => void response.end())
  onTestFinished(() => upstream.close())
  const proxy = await startProxy(upstream.url, { trustedProxies, publicPaths: true })
  await sendRaw(proxy.url, rawRequest('GET /', ['Host: app.example.com', ...headers]))
  const got = upstream.requests[0]?.headers ?? {}
  return {
    for: got['x-forwarded-for'],
    proto: got['x-forwarded-proto'],
    host: got['x-forwarded-host'],
    audited: proxy.ended[0]?.exchange.sourceIp,
  }
}

const PUBLIC = { proto: 'https', host: 'app.example.com' }

test('of somebody who is not trusted nothing is believed, and nothing is passed on', async () => {
  expect(await forwarded([], ['X-Forwarded-For: 198.51.100.7', 'X-Forwarded-Proto: http'])).toEqual({
    ...PUBLIC,
    for: '127.0.0.1',
    audited: '127.0.0.1',
  })
})

test('of an ingress that is trusted the app gets the client, and the ingress behind it', async () => {
  expect(await forwarded(['127.0.0.1'], ['X-Forwarded-For: 198.51.100.7'])).toEqual({
    ...PUBLIC,
    for: '198.51.100.7, 127.0.0.1',
    audited: '198.51.100.7',
  })
})

test('all that are trusted are passed on, and nothing that stands before the first who is not', async () => {
  const headers = ['X-Forwarded-For: 203.0.113.9, 198.51.100.7', 'X-Forwarded-For: 10.0.0.2, 10.0.0.1']
  expect(await forwarded(['127.0.0.1', '10.0.0.0/8'], headers)).toMatchObject({
    for: '198.51.100.7, 10.0.0.2, 10.0.0.1, 127.0.0.1',
    audited: '198.51.100.7',
  })
})

test('a client inside the trusted network is the first of them', async () => {
  expect(await forwarded(['127.0.0.1', '10.0.0.0/8'], ['X-Forwarded-For: 10.0.0.9, 10.0.0.1'])).toMatchObject({
    for: '10.0.0.9, 10.0.0.1, 127.0.0.1',
    audited: '10.0.0.9',
  })
})

test.for([
  ['198.51.100.7:4711', '198.51.100.7'],
  ['[2001:db8::1]:4711', '2001:db8::1'],
  ['[2001:db8::1]', '2001:db8::1'],
  ['2001:db8::1', '2001:db8::1'],
  ['::ffff:198.51.100.7', '198.51.100.7'],
] as const)('%s is the address %s', async ([text, address]) => {
  expect(await forwarded(['127.0.0.1'], [`X-Forwarded-For: ${text}`])).toMatchObject({
    for: `${address}, 127.0.0.1`,
    audited: address,
  })
})

test.for(['unknown', '198.51.100.7, nonsense', '198.51.100.7:x', '"[2001:db8::1]"', '[198.51.100.7', ','])(
  'what is no address is not passed on: %s',
  async text => {
    expect(await forwarded(['127.0.0.1'], [`X-Forwarded-For: ${text}`])).toMatchObject({
      for: '127.0.0.1',
      audited: '127.0.0.1',
    })
  },
)

test('the scheme and host that people see are the configured ones, whatever an ingress says', async () => {
  const headers = [
    'X-Forwarded-Proto: http',
    'X-Forwarded-Host: evil.example',
    'X-Forwarded-Port: 80',
    'X-Forwarded-Prefix: /evil',
    'Forwarded: host=evil.example',
  ]
  expect(await forwarded(['127.0.0.1'], headers)).toMatchObject(PUBLIC)
})
