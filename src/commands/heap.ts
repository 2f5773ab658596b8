import { getHeapStatistics, setFlagsFromString } from 'node:v8'

/** A replica at work has some 40 MB; with five thousand people remembered, too. */
const LARGE_BYTES = 56 * 1024 * 1024
const LOOK_MILLISECONDS = 100

/**
 * V8 sizes its heap by the memory of the machine, and a sidecar is not alone on it. So while the heap is large, garbage is
 * collected when a tenth has come on top of what lives: ten thousand people at a cold start take 340 MiB and not 650 (100 of
 * them are Node's, 10 kB for the parser of each connection). While it is small it is V8's to decide: large downloads cost
 * twice the time otherwise, and collecting all the heap often unmakes compiled code.
 */
export function boundHeap(): void {
  let bounded = false
  const look = (): void => {
    const large = getHeapStatistics().used_heap_size > LARGE_BYTES
    if (large === bounded) return
    bounded = large
    setFlagsFromString(`--heap-growing-percent=${large ? 10 : 0}`)
  }
  setInterval(look, LOOK_MILLISECONDS).unref()
}
