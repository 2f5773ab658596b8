/** How many letters have to be changed, added or dropped to turn one word into the other (Levenshtein). */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const swap = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}

/** The known word that is nearest to what was written; the known words are never none. */
export function nearest(written: string, known: readonly string[]): string {
  const lower = written.toLowerCase()
  return known.reduce((best, word) =>
    distance(lower, word.toLowerCase()) < distance(lower, best.toLowerCase()) ? word : best,
  )
}
