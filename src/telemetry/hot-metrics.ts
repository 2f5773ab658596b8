import type { Counter, Histogram, Registry } from 'prom-client'

type Labels = Readonly<Record<string, string>>

/**
 * Counts in a plain number for each combination of labels. prom-client hashes the labels at every increment, which is
 * a noticeable part of a proxied request; it is told the sums when somebody asks for the page.
 */
export interface Tallies {
  /** The function that counts one more. Kept by the caller. */
  of(counter: Counter, labels: Labels): () => void
  /** Tells prom-client what was counted since the last time. */
  flush(): void
}

export function createTallies(): Tallies {
  const tallies: { readonly counter: Counter; readonly labels: Labels; pending: number }[] = []
  return {
    of(counter, labels) {
      const tally = { counter, labels, pending: 0 }
      tallies.push(tally)
      return () => {
        tally.pending++
      }
    },
    flush() {
      for (const tally of tallies) {
        tally.counter.inc(tally.labels, tally.pending)
        tally.pending = 0
      }
    },
  }
}

/** A histogram that keeps its own buckets, for the same reason: prom-client's turn each bound into text at each look. */
export interface HotHistogram {
  /** The function that takes a value for this combination of labels. Kept by the caller. */
  series(labels: Labels): (value: number) => void
}

export function createHotHistogram(
  registry: Registry,
  options: { name: string; help: string; buckets: readonly number[] },
): HotHistogram {
  const { name, help, buckets } = options
  const all: { readonly labels: Labels; readonly counts: Float64Array; sum: number }[] = []
  const metric = {
    name,
    help,
    type: 'histogram',
    aggregator: 'sum',
    async get() {
      const values = all.flatMap(({ labels, counts, sum }) => {
        let count = 0
        const rows = [...counts].map((inBucket, index) => {
          count += inBucket
          return { labels: { le: buckets[index] ?? '+Inf', ...labels }, value: count, metricName: `${name}_bucket` }
        })
        return [
          ...rows,
          { labels, value: sum, metricName: `${name}_sum` },
          { labels, value: count, metricName: `${name}_count` },
        ]
      })
      return { name, help, type: 'histogram', values, aggregator: 'sum' }
    },
  }
  // What a registry asks of a metric is its name and `get`; the rest of the class is how prom-client's own are filled.
  registry.registerMetric(metric as unknown as Histogram)
  return {
    series(labels) {
      const series = { labels, counts: new Float64Array(buckets.length + 1), sum: 0 }
      all.push(series)
      return value => {
        let index = 0
        while (index < buckets.length && value > (buckets[index] ?? 0)) index++
        series.counts[index] = (series.counts[index] ?? 0) + 1
        series.sum += value
      }
    },
  }
}
