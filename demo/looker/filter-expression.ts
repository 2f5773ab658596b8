import type { Value } from './data-set.ts'

const COMPARISON = /^(>=|<=|>|<|<>|!=|=)\s*(-?\d+(?:\.\d+)?)$/
const DATE_BOUND = /^(after|before)\s+(\d{4}-\d{2}(?:-\d{2})?)$/

type Test = (value: Value) => boolean

/**
 * The part of Looker's filter language that dashboards and access filters need: alternatives by comma, `-` for not, `%`
 * for anything, comparisons of numbers, `after` and `before` a date, a date by its beginning. Empty means any value, in
 * Looker as here; an access filter whose attribute is empty therefore hides nothing.
 */
export function createFilter(expression: string): Test {
  const terms = expression
    .split(',')
    .map(term => term.trim())
    .filter(term => term !== '')
  if (terms.length === 0) return () => true
  const wanted = terms.filter(term => !isNegative(term)).map(createTest)
  const unwanted = terms.filter(isNegative).map(term => createTest(term.slice(1)))
  return value => (wanted.length === 0 || wanted.some(test => test(value))) && !unwanted.some(test => test(value))
}

// `-5` is a number below nought, `-Alder` is everything but Alder.
function isNegative(term: string): boolean {
  return term.length > 1 && term.startsWith('-') && Number.isNaN(Number(term))
}

function createTest(term: string): Test {
  const comparison = COMPARISON.exec(term)
  if (comparison !== null) return createComparison(comparison[1] ?? '', Number(comparison[2]))
  const bound = DATE_BOUND.exec(term)
  if (bound !== null) {
    const day = bound[2] ?? ''
    return bound[1] === 'after' ? value => String(value) >= day : value => String(value) < day
  }
  if (term.toUpperCase() === 'NULL') return value => value === null
  if (term.includes('%')) {
    const pattern = term.split('%').map(part => part.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`))
    const expression = new RegExp(`^${pattern.join('.*')}$`, 's')
    return value => expression.test(String(value ?? ''))
  }
  if (/^\d{4}(-\d{2})?$/.test(term)) return value => value === Number(term) || String(value).startsWith(term)
  return value => (typeof value === 'number' ? value === Number(term) : value === term)
}

function createComparison(operator: string, bound: number): Test {
  return value => {
    if (value === null) return false
    const number = Number(value)
    switch (operator) {
      case '>':
        return number > bound
      case '<':
        return number < bound
      case '>=':
        return number >= bound
      case '<=':
        return number <= bound
      case '=':
        return number === bound
      default:
        return number !== bound
    }
  }
}
