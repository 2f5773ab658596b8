import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { documentedCode } from '../support/documented.ts'
import { startWorld, type World } from '../support/world.ts'

type AskLooker = (accessToken: string, path: string, init?: RequestInit) => Promise<Response>

const [recipe = ''] = documentedCode('frontend.md', 'js', "Call Looker's API from a back end")
let world: World
let askLooker: AskLooker
beforeAll(async () => {
  world = await startWorld()
  vi.stubEnv('SALLYPORT_URL', (await world.sidecar()).url)
  vi.stubEnv('LOOKER_URL', world.looker.url)
  const folder = mkdtempSync(join(tmpdir(), 'recipe-'))
  const file = join(folder, 'ask-looker.mjs')
  writeFileSync(file, recipe)
  askLooker = ((await import(pathToFileURL(file).href)) as { askLooker: AskLooker }).askLooker
  rmSync(folder, { recursive: true })
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await world.close()
})

test('the recipe for a back end asks Looker as the person whose access token it was given', async () => {
  expect(recipe.split('\n').length).toBeLessThan(25)
  const { accessToken } = await world.issuer.signIn('ana')
  const answer = await askLooker(accessToken, '/api/4.0/queries/run/json', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'thelook', view: 'orders', fields: ['orders.count'] }),
  })
  expect(await answer.json()).toEqual([{ 'orders.count': expect.any(Number) }])
  expect(world.looker.calls.list.at(-1)?.userId).toBe(world.looker.users.find('corp|ana')?.id)
})

test('however often it asks, Looker is asked for a token once', async () => {
  const { accessToken } = await world.issuer.signIn('vic')
  const before = world.looker.calls.count('login_user')
  for (let call = 0; call < 3; call++) expect((await askLooker(accessToken, '/api/4.0/user')).status).toBe(200)
  expect(world.looker.calls.count('login_user') - before).toBe(1)
})

test('who has no grant is told so', async () => {
  const { accessToken } = await world.issuer.signIn('nora')
  await expect(askLooker(accessToken, '/api/4.0/user')).rejects.toThrow(
    /^invalid_request: No grant .* \(urn:sallyport:problem:no-grant\)$/,
  )
})
