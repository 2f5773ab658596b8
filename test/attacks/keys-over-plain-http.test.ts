import { MockAgent } from 'undici'
import { expect, test, vi } from 'vitest'
import { createIssuer } from '../../src/identity/issuer.ts'
import { ecKey, issuerOptions } from '../support/plain-issuer.ts'

const ISSUER = 'https://id.example.com'

/** An https: issuer whose discovery sends for the keys to the given place. */
function start(jwksUri: string) {
  // undici's mock can be closed but not destroyed.
  const agent = new MockAgent()
  agent.destroy = () => agent.close()
  agent.disableNetConnect()
  const fetched: string[] = []
  const headers = { 'content-type': 'application/json' }
  agent
    .get(ISSUER)
    .intercept({ path: '/.well-known/openid-configuration' })
    .reply(200, { issuer: ISSUER, jwks_uri: jwksUri }, { headers })
    .persist()
  for (const origin of [ISSUER, 'http://id.example.com']) {
    const keys = (): object => {
      fetched.push(origin)
      return { keys: [ecKey('key-1').jwk] }
    }
    agent.get(origin).intercept({ path: '/jwks' }).reply(200, keys, { headers }).persist()
  }
  const report = vi.fn<(error: unknown) => void>()
  const issuer = createIssuer({ ...issuerOptions(ISSUER, agent), report })
  issuer.start()
  return { issuer, fetched, report }
}

test('keys that discovery names under plain http: are not fetched, for anyone on the way could replace them', async () => {
  const { issuer, fetched, report } = start('http://id.example.com/jwks')
  try {
    await vi.waitFor(() => expect(report).toHaveBeenCalledWith(expect.any(Error)))
    expect(String(report.mock.lastCall?.[0])).toContain('jwks_uri')
    expect(issuer.keys.fresh()).toBe(false)
    expect(fetched).toEqual([])
  } finally {
    issuer.close()
  }
})

test('keys under https: are fetched', async () => {
  const { issuer, fetched } = start(`${ISSUER}/jwks`)
  try {
    await issuer.loaded
    expect(fetched).toEqual([ISSUER])
    expect(await issuer.keys.find('key-1', 'ES256')).toBeDefined()
  } finally {
    issuer.close()
  }
})
