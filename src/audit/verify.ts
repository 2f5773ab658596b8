import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { crc32 } from 'node:zlib'
import { CHAIN_START, type LineEnd, readLineEnd, sealOf } from './chain.ts'
import { headFileOf, parseHead } from './file-sink.ts'

/** Where one line after the other does not hold, not every way to read them is followed. */
const MAX_GUESSES = 16

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
  let { sequence } = CHAIN_START
  // What the next line may follow. Of a line that does not hold it is not known whether the line was changed or what it
  // says of itself, so both count: the lines behind it are judged by what they are.
  let crcs = [CHAIN_START.crc]
  let seals = [CHAIN_START.seal]
  let unreadable = 0
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
      unreadable++
      crcs = [...guessChecksums(text, crcs), ...crcs].slice(0, MAX_GUESSES)
      continue
    }
    const expected = sequence + 1 + unreadable
    const stated = sequenceOf(end.body) ?? expected
    const missing = stated - expected
    if (missing > 0) {
      blame(
        line,
        `${missing} line${missing === 1 ? ' is' : 's are'} missing before it (sequence ${sequence} is followed by ${stated})`,
      )
      crcs = [end.crc]
      sequence = stated
    } else if (crcs.some(crc => crc32(end.body, crc) === end.crc)) {
      crcs = [end.crc]
      sequence = stated
    } else {
      blame(line, 'does not hold: it was changed, or is not where it was written')
      crcs = [end.crc, ...crcs.map(crc => crc32(end.body, crc))].slice(0, MAX_GUESSES)
      sequence = expected
    }
    unreadable = 0
    batch.push({ line, end })
    if (end.seal === undefined) continue
    const open = batch.map(entry => entry.end.sealed).join('}}\n')
    const candidates = keys.length === 0 ? [undefined] : keys
    const kind = keys.length === 0 ? 'hash' : 'mac'
    const made = seals.flatMap(seal => candidates.map(key => sealOf(seal, open, key)))
    const holds = end.seal.kind === kind && made.includes(end.seal.value)
    // A line of the batch that is named already is why; otherwise somebody who could redo the checksums was here.
    if (!holds && !batchIsSuspect) for (const entry of batch) blame(entry.line, sealProblem(end.seal.kind, kind))
    seals = holds ? [end.seal.value] : [end.seal.value, ...made].slice(0, MAX_GUESSES)
    batch = []
    batchIsSuspect = false
  }
  for (const entry of batch) blame(entry.line, 'is not closed: the lines that were written with it are missing')

  const head = parseHead(await readFile(headFileOf(file), 'utf8').catch(() => ''))
  const missing = (head?.sequence ?? 0) - sequence - unreadable
  if (missing > 0) {
    broken.push({ line: line + 1, problem: `${missing} line${missing === 1 ? ' is' : 's are'} missing at the end` })
  }
  return { lines: line, broken, endKnown: head !== undefined }
}

/** The checksum of a line whose end cannot be read: as it is stated, if that can be found, and as its body would have it. */
function guessChecksums(text: string, before: readonly number[]): number[] {
  const end = text.lastIndexOf(',"chain":')
  const stated = /"crc":"([0-9a-f]{8})"/.exec(text.slice(-100))?.[1]
  return [
    ...(stated === undefined ? [] : [Number.parseInt(stated, 16)]),
    ...(end === -1 ? [] : before.map(crc => crc32(text.slice(0, end), crc))),
  ]
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
