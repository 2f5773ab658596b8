import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { json, startWorld, type Sidecar, type World } from '../support/world.ts'
import { temporaryFile } from './file.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

/** A new API key of the service account, made the way an administrator does, over Looker's API. */
async function newApiKey(): Promise<{ clientId: string; clientSecret: string; retireOld(): Promise<void> }> {
  const { looker } = world
  const form = new URLSearchParams({ client_id: looker.clientId, client_secret: looker.clientSecret })
  const login = await json(fetch(`${looker.url}/api/4.0/login`, { method: 'POST', body: form }))
  const headers = { authorization: `Bearer ${String(login['access_token'])}` }
  const keys = `${looker.url}/api/4.0/users/${looker.serviceUserId}/credentials_api3`
  const [old] = (await (await fetch(keys, { headers })).json()) as { id: string }[]
  const made = await json(fetch(keys, { method: 'POST', headers }))
  return {
    clientId: String(made['client_id']),
    clientSecret: String(made['client_secret']),
    async retireOld() {
      const { status } = await fetch(`${keys}/${old?.id}`, { method: 'DELETE', headers })
      expect(status).toBeLessThan(300)
    },
  }
}

/** People who were never seen before, one after the other, so that each needs the service credentials. */
function startCrowd(sidecar: Sidecar): { stop(): Promise<Response[]>; served(): number } {
  const answers: Response[] = []
  const over = new AbortController()
  const crowd = Array.from({ length: 3 }, async (_, lane) => {
    for (let person = 0; !over.signal.aborted; person++) {
      const token = await world.issuer.sign({ sub: `person-${lane}-${person}`, groups: ['viewers'] })
      answers.push(await sidecar.exchange(token))
    }
  })
  return {
    served: () => answers.length,
    async stop() {
      over.abort()
      await Promise.all(crowd)
      return answers
    },
  }
}

test('a rotated Looker API key counts without a restart, and nobody under way notices', async () => {
  const { looker } = world
  const idFile = temporaryFile('client-id', looker.clientId)
  const secretFile = temporaryFile('client-secret', looker.clientSecret)
  const sidecar = await world.sidecar({
    looker: { url: looker.url, clientId: { fromFile: idFile }, clientSecret: { fromFile: secretFile } },
  })
  const crowd = startCrowd(sidecar)
  await vi.waitFor(() => expect(crowd.served()).toBeGreaterThan(5), 10_000)

  const key = await newApiKey()
  writeFileSync(idFile, key.clientId)
  writeFileSync(secretFile, `${key.clientSecret}\n`)
  await vi.waitFor(() => {
    for (const file of [idFile, secretFile]) expect(sidecar.logText()).toContain(`"file":"${file}"`)
  }, 10_000)
  await key.retireOld()
  const loginsBefore = looker.calls.count('login')
  looker.revokeTokens(looker.serviceUserId)

  await vi.waitFor(() => expect(looker.calls.count('login')).toBe(loginsBefore + 1), 10_000)
  const served = crowd.served()
  await vi.waitFor(() => expect(crowd.served()).toBeGreaterThan(served + 5), 10_000)
  const answers = await crowd.stop()
  expect(answers.filter(({ status }) => status !== 200)).toEqual([])
  expect(looker.calls.count('login')).toBe(loginsBefore + 1)
  expect(looker.calls.list.findLast(({ operationId }) => operationId === 'login')?.status).toBe(200)
  expect(sidecar.logText()).not.toContain(key.clientSecret)
}, 60_000)
