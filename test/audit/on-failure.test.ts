import { symlinkSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectProblem } from '../support/problem.ts'
import { type TempDir, tempDir } from '../support/cli.ts'
import { json, type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let dir: TempDir
let ana: string
beforeAll(async () => {
  world = await startWorld()
  dir = tempDir()
  ana = await world.issuer.sign({ sub: 'ana' })
})
afterAll(async () => {
  await world.close()
  dir.remove()
})

let files = 0
/** A sidecar whose audit file takes nothing: every write to it finds the disk full. */
function withFullDisk(onFailure: 'deny' | 'allow'): Promise<Sidecar> {
  const file = `${dir.path}/full-${++files}.jsonl`
  symlinkSync('/dev/full', file)
  return world.sidecar({ audit: { file, onFailure } })
}
const authorization = (): Record<string, string> => ({ authorization: `Bearer ${ana}` })

test('deny: an exchange that cannot be audited hands out no token', async () => {
  const sidecar = await withFullDisk('deny')
  for (const response of [await sidecar.exchange(ana), await sidecar.exchange(ana)]) {
    expect(response.status).toBe(500)
    expect(await json(response)).toEqual({
      error: 'server_error',
      error_description: expect.stringContaining('audit'),
      problem: 'urn:sallyport:problem:internal',
    })
  }
})

test('deny: POST /looker/token hands out no token', async () => {
  const sidecar = await withFullDisk('deny')
  const init = { method: 'POST', headers: authorization() }
  await expectProblem(await sidecar.fetch('/sallyport/looker/token', init), 500, 'internal')
})

test('deny: once it is known that nothing can be audited, nothing goes to the app either', async () => {
  const sidecar = await withFullDisk('deny')
  await sidecar.exchange(ana)
  const before = world.app.requests.length
  await expectProblem(await sidecar.fetch('/headers', { headers: authorization() }), 500, 'internal')
  expect(world.app.requests.length).toBe(before)
})

test('allow: the exchange hands out a token, and the log and a metric say what happened', async () => {
  const sidecar = await withFullDisk('allow')
  expect(await json(sidecar.exchange(ana))).toMatchObject({ token_type: 'Bearer', scope: 'explorer' })
  expect((await sidecar.fetch('/headers', { headers: authorization() })).status).toBe(200)
  expect(sidecar.logText()).toContain('the audit log cannot be written')
  expect(await sidecar.metrics()).toMatch(/^sallyport_audit_events_total\{result="failed"\} [1-9]/m)
})

test('what the file does not take is on standard output all the same', async () => {
  const sidecar = await withFullDisk('allow')
  await sidecar.exchange(ana)
  expect(sidecar.audit).toHaveLength(1)
})
