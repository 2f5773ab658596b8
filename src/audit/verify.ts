import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { crc32 } from 'node:zlib'
import { CHAIN_START, type LineEnd, readLineEnd, sealOf } from './chain.ts'
import { headFileOf, parseHead } from './file-sink.ts'

export interface BrokenLine {
  /** Counted from 1. */
  readonly line: number
  readonly problem: string
}

export interface Verification {
  readonly lines: number
  readonly broken: readonly BrokenLine[]
  /** False where there was no record of where the log ended: lines cut off its end cannot be missed then. */
  readonly endKnown: boolean
}

/**
 * Checks an audit file against its chain.
 * @param keys any of them may have made a seal; none: the chain is unkeyed.
 * @throws where the file cannot be read.
 */
export async function verifyAuditFile(file: string, keys: readonly Buffer[]): Promise<Verification> {
  const broken: BrokenLine[] = []
  let { sequence, crc, seal } = CHAIN_START
  let line = 0
  let batch: { line: number; end: LineEnd }[] = []
  let batchIsSuspect = false

  const blame = (number: number, problem: string): void => {
    batchIsSuspect = true
    if (broken.at(-1)?.line !== number) broken.push({ line: number, problem })
  }

  for await (const text of createInterface({
    input: createReadStream(file, 'utf8'),
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    line++
    const end = readLineEnd(text)
    if (end === undefined) {
      blame(line, 'is not a complete audit line')
      continue
    }
    const stated = sequenceOf(end.body)
    if (stated !== undefined && stated > sequence + 1) {
      const missing = stated - sequence - 1
      blame(
        line,
        `${missing} line${missing === 1 ? ' is' : 's are'} missing before it (sequence ${sequence} is followed by ${stated})`,
      )
    } else if (crc32(end.body, crc) !== end.crc) {
      blame(line, 'does not hold: it was changed, or is not where it was written')
    }
    sequence = stated ?? sequence + 1
    crc = end.crc
    batch.push({ line, end })
    if (end.seal === undefined) continue
    const open = batch.map(entry => entry.end.sealed).join('}}\n')
    const candidates = keys.length === 0 ? [undefined] : keys
    const kind = keys.length === 0 ? 'hash' : 'mac'
    const holds = end.seal.kind === kind && candidates.some(key => sealOf(seal, open, key) === end.seal?.value)
    // A line of the batch that is named already is why; otherwise somebody who could redo the checksums was here.
    if (!holds && !batchIsSuspect) for (const entry of batch) blame(entry.line, sealProblem(end.seal.kind, kind))
    seal = end.seal.value
    batch = []
    batchIsSuspect = false
  }
  for (const entry of batch) blame(entry.line, 'is not closed: the lines that were written with it are missing')

  const head = parseHead(await readFile(headFileOf(file), 'utf8').catch(() => ''))
  if (head !== undefined && head.sequence > sequence) {
    const missing = head.sequence - sequence
    broken.push({ line: line + 1, problem: `${missing} line${missing === 1 ? ' is' : 's are'} missing at the end` })
  }
  return { lines: line, broken, endKnown: head !== undefined }
}

function sealProblem(found: 'mac' | 'hash', wanted: 'mac' | 'hash'): string {
  if (found !== wanted)
    return found === 'hash' ? 'was written without a key' : 'was written with a key; name it in store.sealKeys'
  return 'was changed, with its checksum redone, or its key is not among store.sealKeys'
}

function sequenceOf(body: string): number | undefined {
  const text = /"sequence":(\d+)\}/.exec(body)?.[1]
  return text === undefined ? undefined : Number(text)
}
