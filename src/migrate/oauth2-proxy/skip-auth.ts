import { pathPattern } from '../../config/values.ts'

export interface OpenPath {
  readonly paths: readonly string[]
  readonly methods: readonly string[] | undefined
}

/** A path of plain characters, of which a dot may be escaped; `[^/]+` stands for a segment. */
const PLAIN = /^(?:[A-Za-z0-9_~@:-]|\/|\\?\.|\\-|\\\/|\[\^\/\][+*])*$/

/**
 * `--skip-auth-route` (`METHOD=REGEX`, `REGEX`) and `--skip-auth-regex` as a rule's paths. Undefined for what path
 * patterns cannot say: better no open path than one that is wider than it was.
 */
export function openPathOf(written: string): OpenPath | undefined {
  const [, method, negated, regex = ''] = /^(?:([A-Za-z]+)(?=!?=))?(?:(!)?=)?(.*)$/s.exec(written) ?? []
  if (negated !== undefined) return undefined
  const paths = patternsOf(regex)
  if (paths === undefined) return undefined
  return { paths, methods: method === undefined ? undefined : [method.toUpperCase()] }
}

function patternsOf(regex: string): readonly string[] | undefined {
  // `^/(a|b)$`: one pattern for each.
  const [, before = regex, choices, after = ''] = /^([^()|]*)\(\??:?([^()]*)\)([^()|]*)$/.exec(regex) ?? []
  const alternatives = choices === undefined ? [regex] : choices.split('|').map(choice => `${before}${choice}${after}`)
  const patterns = alternatives.map(patternOf)
  return patterns.every(pattern => pattern !== undefined) ? patterns : undefined
}

function patternOf(regex: string): string | undefined {
  // Without `^` it meets the path anywhere in it: what was meant is at its beginning.
  const body = regex.replace(/^\^/, '').replace(/\$$/, '')
  const isOpenEnded = body.endsWith('.*') || !regex.endsWith('$')
  const stem = body.replace(/\.\*$/, '')
  if (!PLAIN.test(stem) || !/^(?:\\?\/|$)/.test(stem)) return undefined
  const path = stem.replaceAll(/\[\^\/\][+*]/g, '*').replaceAll('\\', '')
  const pattern = isOpenEnded ? openEnded(path) : path
  return pathPattern.safeParse(pattern).success ? pattern : undefined
}

function openEnded(path: string): string {
  if (path === '' || path === '/') return '/**'
  // `^/public/` does not meet /public. And `^/public` met /publicity too, which nobody meant it to.
  return path.endsWith('/') ? `${path}*/**` : `${path}/**`
}
