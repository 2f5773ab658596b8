import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'

/** What a contestant is asked, over and over. */
export interface Load {
  readonly url: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** The bearers of as many people, one after the other; in place of a header. */
  readonly bearers?: readonly string[]
}

export interface LoadResult {
  readonly requests: number
  readonly perSecond: number
  readonly p99Milliseconds: number
}

const CONNECTIONS = 32
const run = promisify(execFile)

/**
 * Loads with wrk, which leaves most of the machine to what is measured.
 * @param directory where the script goes that tells wrk what to send.
 * @param perSecond so many requests and no more, as nearly as wrk can.
 */
export async function applyLoad(
  directory: string,
  load: Load,
  seconds: number,
  perSecond?: number,
): Promise<LoadResult> {
  const script = `${directory}/load.lua`
  await writeFile(script, await scriptOf(directory, load, perSecond))
  const args = ['--threads', '1', '--connections', `${CONNECTIONS}`, '--duration', `${seconds}s`, '--latency']
  const { stdout } = await run('wrk', [...args, '--timeout', '10s', '--script', script, load.url])
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1])
  if (!(requests > 0) || /Non-2xx|Socket errors/.test(stdout)) throw new Error(`${load.url}: ${stdout}`)
  const [, p99 = '', unit = ''] = /^\s*99%\s+([\d.]+)(us|ms|s)$/m.exec(stdout) ?? []
  const milliseconds: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000 }
  return { requests, perSecond: requests / seconds, p99Milliseconds: Number(p99) * (milliseconds[unit] ?? Number.NaN) }
}

async function scriptOf(directory: string, load: Load, perSecond: number | undefined): Promise<string> {
  // JSON's way of writing text is one of Lua's.
  const lines = [`wrk.method = ${JSON.stringify(load.method ?? 'GET')}`]
  for (const [name, value] of Object.entries(load.headers ?? {})) {
    lines.push(`wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`)
  }
  if (load.body !== undefined) lines.push(`wrk.body = ${JSON.stringify(load.body)}`)
  if (perSecond !== undefined) lines.push(`function delay() return ${(CONNECTIONS * 1000) / perSecond} end`)
  if (load.bearers !== undefined) {
    const file = `${directory}/bearers.txt`
    await writeFile(file, `${load.bearers.join('\n')}\n`)
    lines.push(
      'local requests, turn = {}, 0',
      'function init()',
      `  for bearer in io.lines(${JSON.stringify(file)}) do`,
      '    requests[#requests + 1] = wrk.format(nil, nil, { authorization = "Bearer " .. bearer })',
      '  end',
      'end',
      'function request()',
      '  turn = turn % #requests + 1',
      '  return requests[turn]',
      'end',
    )
  }
  return `${lines.join('\n')}\n`
}
