import { expect, test } from 'vitest'
import { load, looker, problemsOf } from '../config/file.ts'

test('sessions last an hour, and URLs are signed by Looker, unless something else is said', () => {
  expect(load().config.looker.embed).toEqual({
    sessionLengthSeconds: 3600,
    renewBeforeSeconds: 60,
    algorithm: 'hmac/sha-256',
  })
})

test.each([
  [{ sessionLengthSeconds: 2_592_001 }, 'sessionLengthSeconds'],
  [{ sessionLengthSeconds: 60 }, 'sessionLengthSeconds'],
  [{ sessionLengthSeconds: 600, renewBeforeSeconds: 600 }, 'renewBeforeSeconds'],
  [{ renewBeforeSeconds: 3600 }, 'renewBeforeSeconds'],
  [{ algorithm: 'sha256' }, 'algorithm'],
  [{ secret: 'the secret itself' }, 'secret'],
])('refuses what Looker would not take, or what would never join a session: %j', (embed, key) => {
  const [line, ...more] = problemsOf({ looker: looker({ embed }) })
  expect([line?.split(':')[0], more]).toEqual([`looker.embed.${key}`, []])
  expect(line).not.toContain('the secret itself')
})
