import { expect, test } from 'vitest'
import { issuer, load, looker, problemsOf } from './file.ts'

test.each([
  'http://127.0.0.1:9000',
  'http://localhost:9000',
  'http://[::1]:9000',
  'http://id.localhost',
  'http://127.8.9.1',
])('takes plain http from loopback without being asked: %s', url => {
  const { warnings } = load({ issuers: [issuer({ issuer: url })], looker: looker({ url }) })
  expect(warnings.join('\n')).not.toContain('plain http')
})

test.each([
  'http://id.example.com',
  'http://10.0.0.1',
  'http://127.0.0.1.example.com',
  'http://localhost.example.com',
  'http://0.0.0.0:1',
])('refuses plain http from anywhere else: %s', url => {
  const refused = 'plain http: is refused for a host that is not loopback'
  expect(problemsOf({ issuers: [issuer({ issuer: url })], looker: looker({ url, webUrl: url }) })).toEqual([
    expect.stringContaining(`issuers[0].issuer: ${refused}`),
    expect.stringContaining(`looker.url: ${refused}`),
    expect.stringContaining(`looker.webUrl: ${refused}`),
  ])
})

test('takes plain http where the entry allows it, and warns of each', () => {
  const { warnings } = load({
    issuers: [issuer({ issuer: 'http://id.example.com', allowInsecureHttp: true })],
    looker: looker({ url: 'http://looker.example.com', allowInsecureHttp: true }),
  })
  expect(warnings).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^issuers\[0\]\.issuer: plain http: is allowed/),
      expect.stringMatching(/^looker\.url: plain http: is allowed/),
    ]),
  )
})

test('does not let one issuer speak for another', () => {
  const issuers = [
    issuer({ issuer: 'http://id.example.com', allowInsecureHttp: true }),
    issuer({ name: 'other', issuer: 'http://other.example.com' }),
  ]
  expect(problemsOf({ issuers })).toEqual([expect.stringMatching(/^issuers\[1\]\.issuer: plain http: is refused/)])
})

test('warns of a public URL that people reach over plain http', () => {
  expect(load({ server: { publicUrl: 'http://app.example.com' } }).warnings).toContainEqual(
    expect.stringMatching(/^server\.publicUrl: /),
  )
})

test.each([
  'HTTP://looker.example.com',
  ' http://looker.example.com',
  'https://looker.example.com\n',
  'http:\\\\looker.example.com',
])('takes no URL that only looks like another way of writing one: %j', url => {
  expect(problemsOf({ looker: looker({ url }) })).toContainEqual(
    expect.stringContaining('looker.url: is not an absolute http(s) URL'),
  )
})
