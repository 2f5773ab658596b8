import { expect, test, vi } from 'vitest'
import { createAuditLog } from '../../src/audit/log.ts'
import type { AuditEvent } from '../../src/audit/event.ts'
import { Refusal } from '../../src/core/failure.ts'

const event: AuditEvent = {
  category: 'authentication',
  activity: 'service-ticket',
  time: 0,
  requestId: 'a-request',
  identity: undefined,
  sourceIp: '127.0.0.1',
  operation: 'POST /sallyport/token',
  resource: { type: 'looker_token', name: 'ana' },
  rule: undefined,
  grant: 'explorer',
  decision: 'allowed',
  reason: 'grant',
  status: 200,
  lookerUserId: undefined,
  durationMilliseconds: 1,
}

test('whoever commits while a write is under way waits for the next one, and hears that it failed', async () => {
  const first = Promise.withResolvers<void>()
  let writes = 0
  const log = createAuditLog({
    write: ({ requestId }, sequence) => `{"id":"${requestId}","sequence":${sequence}`,
    print: async () => {},
    file: {
      resumed: { sequence: 0, crc: 0, seal: '' },
      append: () => (++writes === 1 ? first.promise : Promise.reject(new Error('the disk is full'))),
      close: async () => {},
    },
    key: undefined,
    onFailure: 'deny',
    observe: () => {},
    report: () => {},
  })
  const before = log.commit(event)
  await vi.waitFor(() => expect(writes).toBe(1))
  const meanwhile = [log.commit(event), log.commit(event), log.commit(event)]
  first.resolve()
  await before
  const outcomes = await Promise.allSettled(meanwhile)
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  for (const outcome of outcomes) expect(outcome).toMatchObject({ reason: expect.any(Refusal) })
})
