import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { temporaryFile, temporaryFolder } from '../config/file.ts'
import { SEAL_KEYS, startSidecar, startWorld, type World, type Written } from '../support/world.ts'
import { type Ended, linesOf, runCommand } from './process.ts'

const KEYED = { sealKeys: [{ id: 'k1', key: { fromEnv: 'SEAL_KEY_1' } }] }

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

/** The audit file of a sidecar that three requests went through, and that has ended. */
async function written(store: Written | undefined): Promise<{ audit: string; config: string }> {
  const audit = join(temporaryFolder(), 'audit.jsonl')
  const sections = { audit: { file: audit }, ...(store === undefined ? {} : { store }) }
  const sidecar = await startSidecar(world.written(sections))
  for (const path of ['/one', '/two', '/three']) {
    await sidecar.fetch(path, { headers: { authorization: `Bearer ${await world.issuer.sign()}` } })
    // Written before its answer, so that the lines are in several batches.
    await sidecar.exchange(await world.issuer.sign({ sub: 'vic', groups: ['viewers'] }))
  }
  await sidecar.close()
  return { audit, config: temporaryFile('sallyport.yaml', stringify(world.written(sections))) }
}

/** Only what seals is at hand: an auditor has no Looker secret. */
const verify = ({ audit, config }: { audit: string; config: string }): Promise<Ended> =>
  runCommand(['audit', 'verify', audit, '--config', config], { SEAL_KEY_1: SEAL_KEYS.SEAL_KEY_1 })

test('says with exit 0 that every line holds, without the secrets that have nothing to do with it', async () => {
  const { code, stdout, stderr } = await verify(await written(KEYED))
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '6 lines hold\n', stderr: '' })
})

test('names with exit 1 the line that was changed', async () => {
  const files = await written(KEYED)
  const lines = linesOf(readFileSync(files.audit, 'utf8'))
  const changed = lines.findIndex(line => line.includes('GET /two'))
  lines[changed] = String(lines[changed]).replace('GET /two', 'GET /2wo')
  writeFileSync(files.audit, `${lines.join('\n')}\n`)
  const { code, stdout } = await verify(files)
  expect(code).toBe(1)
  expect(stdout).toMatch(new RegExp(`^line ${changed + 1}: does not hold`))
  expect(stdout).toContain(' of 6 lines do not hold: ')
})

test('names with exit 1 the lines that were cut off the end', async () => {
  const files = await written(KEYED)
  const lines = linesOf(readFileSync(files.audit, 'utf8'))
  writeFileSync(files.audit, `${lines.slice(0, -2).join('\n')}\n`)
  const { code, stdout } = await verify(files)
  expect(code).toBe(1)
  expect(stdout).toMatch(/missing at the end/)
})

test('says that a chain without seal keys shows accidents and not forgery', async () => {
  const { code, stderr } = await verify(await written(undefined))
  expect(code).toBe(0)
  expect(stderr).toMatch(/^warning: there are no store\.sealKeys: the chain is unkeyed/)
})

test('a file that is not there is exit 1, a configuration that is not there exit 2', async () => {
  const files = await written(KEYED)
  const missing = await verify({ ...files, audit: '/nowhere/audit.jsonl' })
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('/nowhere/audit.jsonl') })
  expect((await verify({ ...files, config: '/nowhere.yaml' })).code).toBe(2)
})
