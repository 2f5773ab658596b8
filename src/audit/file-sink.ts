import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { CHAIN_START, type ChainState, readLineEnd } from './chain.ts'

const TAIL_BYTES = 65_536
/** The head may lag behind the log by this much; it is exact once the log is closed. */
const HEAD_MILLISECONDS = 250

/** Beside the log, how far it was written: `sequence crc seal`. Without it lines cut off the end would not be missed. */
export function headFileOf(file: string): string {
  return `${file}.head`
}

export function parseHead(text: string): ChainState | undefined {
  const [, sequence, crc, seal] = /^(\d+) ([0-9a-f]+) ([\w-]+) *$/m.exec(text) ?? []
  if (sequence === undefined || crc === undefined || seal === undefined) return undefined
  return { sequence: Number(sequence), crc: Number.parseInt(crc, 16), seal }
}

export interface FileSink {
  /** Where the chain goes on: behind the last complete line of the file. */
  readonly resumed: ChainState
  /** Resolves when the system took the text. */
  append(text: Buffer, state: ChainState): Promise<void>
  close(): Promise<void>
}

/** @throws where the file cannot be opened for appending. */
export async function openFileSink(file: string): Promise<FileSink> {
  await mkdir(dirname(file), { recursive: true })
  // Readable by the group that collects it; what it says of people is nobody else's business.
  const handle = await open(file, 'a+', 0o640)
  const { text, size } = await tailOf(handle)
  if (size > 0 && !text.endsWith('\n')) await handle.appendFile('\n')
  const head = await open(headFileOf(file), 'a+', 0o640).then(async opened => {
    await opened.close()
    return open(headFileOf(file), 'r+')
  })
  let length = (await handle.stat()).size
  let torn = false
  let written: ChainState | undefined
  let headTimer: NodeJS.Timeout | undefined
  const writeHead = async (): Promise<void> => {
    clearTimeout(headTimer)
    headTimer = undefined
    if (written === undefined) return
    const line = `${written.sequence} ${written.crc.toString(16)} ${written.seal}`
    await head.write(`${line.padEnd(80)}\n`, 0)
  }
  return {
    resumed: resume(text),
    async append(batch, state) {
      // A batch of which a part was written (a full disk) is written again whole.
      if (torn) await handle.truncate(length)
      torn = true
      await handle.appendFile(batch)
      length += batch.length
      torn = false
      written = state
      headTimer ??= setTimeout(() => {
        // A head that lags is all that comes of it, and the next batch tries again.
        writeHead().catch(() => {})
      }, HEAD_MILLISECONDS)
    },
    async close() {
      await writeHead()
      await handle.close()
      await head.close()
    },
  }
}

async function tailOf(handle: FileHandle): Promise<{ text: string; size: number }> {
  const { size } = await handle.stat()
  const length = Math.min(size, TAIL_BYTES)
  if (length === 0) return { text: '', size }
  const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length)
  return { text: buffer.toString('utf8'), size }
}

/** The state behind the last line that closed a batch; lines after it were torn by a crash, and verify names them. */
function resume(text: string): ChainState {
  const lines = text.split('\n')
  for (const line of lines.toReversed()) {
    const end = readLineEnd(line)
    const sequence = /"sequence":(\d+)\}/.exec(line)?.[1]
    if (end?.seal !== undefined && sequence !== undefined) {
      return { sequence: Number(sequence), crc: end.crc, seal: end.seal.value }
    }
  }
  return CHAIN_START
}
