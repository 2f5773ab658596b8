import { executionAsyncResource } from 'node:async_hooks'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'

/** A replica at work has some 40 MB; with five thousand people remembered, too. */
const LARGE_BYTES = 56 * 1024 * 1024
const LOOK_MILLISECONDS = 100
/** V8's own number. Taken down again while V8 counts, it would end the process. */
const COLLECTIONS_WHEN_IDLE = 2

/**
 * V8 sizes its heap by the memory of the machine, and a sidecar is not alone on it. So while the heap is large, garbage is
 * collected when a tenth has come on top of what lives: ten thousand people at a cold start take 340 MiB and not 650 (100 of
 * them are Node's, 10 kB for the parser of each connection).
 *
 * While it is small, it is V8's to decide when; but not just because nobody has asked for anything in 8 s, which the process is
 * started with `--memory-reducer-gc-count=0` for. At such a moment no request is alive, the shapes of requests go, and all
 * code that was compiled for these shapes goes with them: the next requests cost twice the time, for seconds. Once the heap was
 * large, memory that is given back is worth that.
 */
export function tendHeap(): void {
  keepShapeOfTicks()
  let bounded = false
  const look = (): void => {
    const large = getHeapStatistics().used_heap_size > LARGE_BYTES
    if (large === bounded) return
    bounded = large
    setFlagsFromString(`--heap-growing-percent=${large ? 10 : 0}`)
    if (large) setFlagsFromString(`--memory-reducer-gc-count=${COLLECTIONS_WHEN_IDLE}`)
  }
  setInterval(look, LOOK_MILLISECONDS).unref()
}

const kept: object[] = []

/**
 * `process.nextTick` makes an object with computed keys. Where none of them lives while all of the heap is collected, their
 * shape dies; the next ones get a new one, and after a few collections V8 has seen so many that it makes each in its slowest
 * way: 10 µs instead of 0.7 for those of a request. One that stays keeps the shape (`nextTick` in Node's
 * lib/internal/process/task_queues.js).
 */
function keepShapeOfTicks(): void {
  process.nextTick(() => kept.push(executionAsyncResource()))
}
