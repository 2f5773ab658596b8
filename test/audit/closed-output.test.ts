import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { startSidecarProcess } from '../support/process.ts'
import { json, startWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

test('with a file, a sidecar whose standard output has no reader goes on, and the file has every line', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-output-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const file = join(directory, 'audit.jsonl')
  const sidecar = await startSidecarProcess(world.written({ audit: { file } }))
  onTestFinished(() => sidecar.stop())
  sidecar.stopReading()
  const ana = await world.issuer.sign({ sub: 'ana' })
  expect((await sidecar.exchange(ana)).status).toBe(200)
  expect((await sidecar.exchange(ana)).status).toBe(200)
  expect((await readFile(file, 'utf8')).trimEnd().split('\n')).toHaveLength(2)
  expect(await sidecar.end('SIGTERM')).toBe(0)
})

test('without a file, nothing passes once standard output has no reader, and the process lives', async () => {
  const sidecar = await startSidecarProcess(world.written())
  onTestFinished(() => sidecar.stop())
  sidecar.stopReading()
  const ana = await world.issuer.sign({ sub: 'ana' })
  // The first write finds out.
  await sidecar.exchange(ana)
  const refused = await sidecar.exchange(ana)
  expect(refused.status).toBe(500)
  expect(await json(refused)).toMatchObject({ error: 'server_error', problem: 'urn:sallyport:problem:internal' })
  expect((await fetch(`${sidecar.adminUrl}/livez`)).status).toBe(200)
  expect(await sidecar.end('SIGTERM')).toBe(0)
})
