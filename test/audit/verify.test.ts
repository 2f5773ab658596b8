import { readFileSync, writeFileSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { AUDIT_KEY } from '../../src/audit/chain.ts'
import { verifyAuditFile } from '../../src/audit/verify.ts'
import { parseConfig } from '../../src/config/load.ts'
import { deriveKey } from '../../src/store/seal.ts'
import { runCli, type TempDir, tempDir } from '../support/cli.ts'
import { SEAL_KEYS, type Sidecar, startWorld, type World, type Written } from '../support/world.ts'

const KEY = (n: 1 | 2): unknown => ({ id: `k${n}`, key: { fromEnv: `SEAL_KEY_${n}` } })
const KEYED = { sealKeys: [KEY(1)] }

let world: World
let dir: TempDir
/** Written by two runs of a sidecar, one after the other. */
let good: string
let head: string
beforeAll(async () => {
  world = await startWorld()
  dir = tempDir()
  good = await record('good.jsonl', KEYED, KEYED)
  head = readFileSync(`${dir.path}/good.jsonl.head`, 'utf8')
})
afterAll(async () => {
  await world.close()
  dir.remove()
})

/** Runs a sidecar once for each of the stores, with a few requests each, on one audit file; gives its text. */
async function record(name: string, ...stores: Written[]): Promise<string> {
  for (const store of stores) {
    const sidecar: Sidecar = await world.sidecar({ store, audit: { file: `${dir.path}/${name}` } })
    await sidecar.exchange(await world.issuer.sign({ sub: 'ana' }))
    await Promise.all([1, 2, 3].map(n => sidecar.fetch(`/headers/${n}`)))
    await sidecar.exchange('nonsense')
    await sidecar.close()
  }
  return readFileSync(`${dir.path}/${name}`, 'utf8')
}

let files = 0
/** Verifies this text, beside the record of where the log ended. */
function verify(text: string | Buffer, store: Written = KEYED, recorded: string | undefined = head): Promise<Verdict> {
  const file = `${dir.path}/case-${++files}.jsonl`
  writeFileSync(file, text)
  writeFileSync(`${file}.head`, recorded)
  return verifyFile(file, store)
}

interface Verdict {
  readonly named: number[]
  readonly said: string
}

async function verifyFile(file: string, store: Written): Promise<Verdict> {
  const { config, secrets } = parseConfig(stringify(world.written({ store })), { LOOKER_SECRET: 'x', ...SEAL_KEYS })
  const keys = (config.store.sealKeys ?? []).map(({ key }) => deriveKey(secrets.source(key).current(), AUDIT_KEY))
  const { broken } = await verifyAuditFile(file, keys)
  return { named: broken.map(({ line }) => line), said: broken.map(({ problem }) => problem).join('\n') }
}

/** The same by `sallyport audit verify`. */
function verifyByCommand(file: string, store: Written): { code: number | null; stdout: string; stderr: string } {
  const config = `${dir.path}/config-${++files}.yaml`
  writeFileSync(config, stringify(world.written({ store })))
  return runCli(['audit', 'verify', file, '--config', config])
}

const linesOf = (text: string): string[] => text.trimEnd().split('\n')
const joined = (lines: readonly string[]): string => `${lines.join('\n')}\n`

test('a log that nobody touched holds, over a restart too', async () => {
  const lines = linesOf(good)
  expect(lines.length).toBe(10)
  expect(lines.map(line => (JSON.parse(line) as { metadata: { sequence: number } }).metadata.sequence)).toEqual(
    lines.map((_, index) => index + 1),
  )
  expect(await verify(good)).toEqual({ named: [], said: '' })
})

describe('sallyport audit verify', () => {
  test('exits 0 where every line holds', () => {
    expect(verifyByCommand(`${dir.path}/good.jsonl`, KEYED)).toEqual({ code: 0, stdout: '10 lines hold\n', stderr: '' })
  })

  test('exits 1 and names the lines that do not', () => {
    const file = `${dir.path}/flipped.jsonl`
    writeFileSync(file, good.replace('/headers/2', '/headers/3'))
    const line = linesOf(good).findIndex(text => text.includes('/headers/2')) + 1
    const { code, stdout, stderr } = verifyByCommand(file, KEYED)
    expect(code).toBe(1)
    expect(stdout).toMatch(new RegExp(`^line ${line}: does not hold.*\n1 of 10 lines do not hold: ${line}\n$`))
    // There is no record of the end of this copy, and it says what it cannot tell.
    expect(stderr).toContain('.head is not there')
  })

  test('says that a chain without a key shows accidents only', async () => {
    await record('unkeyed.jsonl', {}, {})
    const { code, stderr } = verifyByCommand(`${dir.path}/unkeyed.jsonl`, {})
    expect(code).toBe(0)
    expect(stderr).toContain('unkeyed')
  })

  test('exits 1 for a file that is not there', () => {
    const { code, stderr } = verifyByCommand(`${dir.path}/nowhere.jsonl`, KEYED)
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('nowhere.jsonl') })
  })
})

describe('case 87', () => {
  test('one flipped byte is named, wherever it is, and no line outside of its batch', async () => {
    const batchOf = batches(linesOf(good))
    const bytes = Buffer.from(good)
    for (let offset = 0; offset < bytes.length; offset += 61) {
      const flipped = Buffer.from(bytes)
      flipped.writeUInt8(bytes.readUInt8(offset) ^ 1, offset)
      const line = bytes.subarray(0, offset).filter(byte => byte === 10).length + 1
      const { named } = await verify(flipped)
      expect({ offset, named }).toMatchObject({ named: expect.arrayContaining([line]) })
      // The byte that ends a line makes one of two.
      if (bytes.readUInt8(offset) !== 10) expect(batchOf[line]).toEqual(expect.arrayContaining(named))
    }
  })

  test.for([
    ['in its middle', (line: string) => line.indexOf('"decision"') + 12],
    ['at its start', () => 0],
    ['in its checksum', (line: string) => line.indexOf('"crc":"') + 8],
    ['in the name of its chain', (line: string) => line.indexOf('"chain"') + 2],
    ['at its end', (line: string) => line.length - 1],
  ] as const)('one flipped byte of a line names that line alone: %s', async ([, at]) => {
    const lines = linesOf(good)
    const index = lines.findIndex(line => !line.includes('"mac"'))
    const bytes = Buffer.from(good)
    const offset = Buffer.byteLength(lines.slice(0, index).join('\n')) + (index === 0 ? 0 : 1) + at(lines[index] ?? '')
    bytes.writeUInt8(bytes.readUInt8(offset) ^ 1, offset)
    expect((await verify(bytes)).named).toEqual([index + 1])
  })

  test('a missing line is told by the line behind it', async () => {
    const { named, said } = await verify(joined(linesOf(good).toSpliced(4, 1)))
    expect({ named, said }).toMatchObject({ named: [5], said: expect.stringMatching(/^1 line is missing before it/) })
  })

  test('a missing first line is told', async () => {
    expect((await verify(joined(linesOf(good).slice(1)))).named).toEqual([1])
  })

  test('missing last lines are told', async () => {
    expect((await verify(joined(linesOf(good).slice(0, -1)))).said).toContain('1 line is missing at the end')
    expect((await verify('')).said).toBe('10 lines are missing at the end')
  })

  test('lines that changed places are named', async () => {
    const lines = linesOf(good)
    expect((await verify(joined(lines.with(1, lines[2] ?? '').with(2, lines[1] ?? '')))).named).toContain(2)
  })

  test.for([0, 2, 9])('line %i forged with the right checksums and without the key is named', async index => {
    const { named } = await verify(forge(good, index, line => line.replace('"stream":"audit"', '"stream":"eve"')))
    expect(named).toContain(index + 1)
  })
})

/** Line numbers to those of the lines that were sealed together; one that cannot be read runs into the next batch. */
function batches(lines: readonly string[]): Record<number, number[]> {
  const found: number[][] = [[]]
  for (const [index, line] of lines.entries()) {
    found.at(-1)?.push(index + 1)
    if (line.includes('"mac"')) found.push([])
  }
  return Object.fromEntries(found.flatMap(batch => batch.map(line => [line, batch])))
}

/** Changes one line and makes every checksum behind it right again; the seals need the key. */
function forge(text: string, index: number, change: (line: string) => string): string {
  let crc = 0
  return joined(
    linesOf(text).map((line, number) => {
      const [body = '', tail = ''] = (number === index ? change(line) : line).split(',"chain":')
      crc = crc32(body, crc)
      return `${body},"chain":${tail.replace(/"crc":"[0-9a-f]{8}"/, `"crc":"${crc.toString(16).padStart(8, '0')}"`)}`
    }),
  )
}

test('a rotated key: both are needed for both runs, and the lines of the one that is missing are named', async () => {
  const rotated = { sealKeys: [KEY(2), KEY(1)] }
  await record('rotated.jsonl', KEYED, rotated)
  const file = `${dir.path}/rotated.jsonl`
  expect((await verifyFile(file, rotated)).named).toEqual([])
  expect((await verifyFile(file, KEYED)).named).toEqual([6, 7, 8, 9, 10])
  expect((await verifyFile(file, { sealKeys: [KEY(2)] })).named).toEqual([1, 2, 3, 4, 5])
})

test('a log without a key is none for a configuration with one', async () => {
  const text = await record('plain.jsonl', {})
  const recorded = readFileSync(`${dir.path}/plain.jsonl.head`, 'utf8')
  const { named, said } = await verify(text, KEYED, recorded)
  expect({ named, said }).toMatchObject({ named: [1, 2, 3, 4, 5], said: expect.stringContaining('without a key') })
  expect((await verify(text.replace('/headers/2', '/headers/9'), {}, recorded)).named).toHaveLength(1)
})

test('a line that a crash tore is named, and the lines of the next run hold', async () => {
  const name = 'torn.jsonl'
  writeFileSync(`${dir.path}/${name}`, `${good}{"stream":"audit","time":17`)
  writeFileSync(`${dir.path}/${name}.head`, head)
  await record(name, KEYED)
  expect((await verifyFile(`${dir.path}/${name}`, KEYED)).named).toEqual([11])
})
