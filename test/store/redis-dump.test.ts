import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { dumpRedis, spellings } from '../support/redis-dump.ts'
import { startRedisServer } from '../support/redis-server.ts'
import { json, redisStore, startWorld } from '../support/world.ts'

test('a copy of everything in Redis holds no token, no subject and no e-mail address', async () => {
  const redis = await startRedisServer()
  onTestFinished(() => redis.stop())
  const world = await startWorld()
  onTestFinished(() => world.close())
  const sidecar = await world.sidecar({ store: redisStore(redis.url) })
  const subject = 'subject-of-canary'
  const subjectToken = await world.issuer.sign({ sub: subject, email: 'canary@people.example', name: 'Canary Bird' })
  const { access_token: token } = await json(sidecar.exchange(subjectToken))
  world.looker.users.disable(world.looker.users.find(`corp|${subject}`)?.id ?? '')
  const disabled = await world.issuer.sign({ sub: subject, email: 'canary@people.example', groups: ['viewers'] })
  expect((await sidecar.exchange(disabled)).status).toBe(400)
  const { access_token: kept } = await json(sidecar.exchange(await world.issuer.sign({ sub: 'second-of-canary' })))

  const { keys, everything } = await dumpRedis(redis.url)
  expect(keys).toBeGreaterThanOrEqual(4)
  const secrets = [
    token,
    kept,
    subjectToken,
    subject,
    `corp|${subject}`,
    'second-of-canary',
    'canary@people.example',
  ].concat(['Canary', 'looker-secret', 'corp|', 'access_data', 'fingerprint', 'lookerUserId'])
  for (const secret of secrets) {
    expect(secret).toEqual(expect.any(String))
    for (const spelling of spellings(String(secret))) expect(everything.includes(spelling), spelling).toBe(false)
  }
})

test('the search for what must not be there finds it where it is', () => {
  for (const before of ['', 'a', 'ab']) {
    const text = `${before}corp|somebody and more`
    for (const form of ['latin1', 'hex', 'base64', 'base64url'] as const) {
      const haystack = Buffer.from(text).toString(form)
      expect(
        spellings('corp|somebody').some(spelling => haystack.includes(spelling)),
        `${form} of "${text}"`,
      ).toBe(true)
    }
  }
})

test('a record in Redis that was tampered with or exchanged for another’s is not used', async () => {
  const redis = await startRedisServer()
  onTestFinished(() => redis.stop())
  const world = await startWorld()
  onTestFinished(() => world.close())
  const store = redisStore(redis.url, 'tampered:')
  const first = await world.sidecar({ store })
  const people = await Promise.all(['ana', 'bob'].map(sub => world.issuer.sign({ sub })))
  const before = await Promise.all(people.map(person => json(first.exchange(person))))

  const client = new Redis(redis.url)
  onTestFinished(() => client.disconnect())
  const records = (await client.keys('tampered:*')).filter(key => key.endsWith('}'))
  expect(records.length).toBeGreaterThanOrEqual(4)
  const values = await Promise.all(records.map(key => client.getBuffer(key)))
  for (const [index, key] of records.entries()) {
    await client.set(key, values[(index + 1) % values.length] ?? Buffer.alloc(0))
  }
  // A replica that remembers nothing finds nothing it can use, and asks Looker.
  const second = await world.sidecar({ store })
  const after = await Promise.all(people.map(person => json(second.exchange(person))))
  expect(new Set([...before, ...after].map(({ access_token: token }) => token)).size).toBe(4)
  expect(world.looker.calls.count('acquire_embed_cookieless_session')).toBe(4)
})
