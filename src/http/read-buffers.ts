import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Measured with a gibibyte each way: with 8 MiB the process grows by 12 MB and is as fast, with 16 MiB V8 gets there first. */
const LIMIT_BYTES = 8 * 1024 * 1024

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as (options: { type: 'minor' }) => void

let passed = 0

/**
 * To be told of every piece of a body that passes. Each was read into memory of its own, which is garbage at once; but V8
 * lets some 80 MiB of such garbage lie before it looks, and then looks through everything. A sidecar is not alone on its
 * machine, so what is young is looked through before that, in a millisecond or less.
 */
export function bytesPassed(count: number): void {
  passed += count
  if (passed < LIMIT_BYTES) return
  passed = 0
  collect({ type: 'minor' })
}
