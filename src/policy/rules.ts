import type { AccessRule } from '../core/permit.ts'
import { compileWho, type WhoOptions } from './who.ts'

export interface RuleOptions extends WhoOptions {
  readonly paths: readonly string[]
  readonly methods?: readonly string[] | undefined
  readonly access: 'public' | 'authenticated'
}

/** Finds the rule for a request. `path` is canonical and without its query. */
export type RuleBook = (method: string, path: string) => AccessRule | undefined

const ANYONE: AccessRule = { name: 'default', access: 'authenticated', admits: () => true }

/**
 * Compiles the rules once. The first whose paths and methods match decides, whoever asks: a person it does not
 * admit is refused and not handed to the rules behind it. Without rules every path needs an identity.
 */
export function compileRules(rules: readonly RuleOptions[] | undefined): RuleBook {
  if (rules === undefined) return () => ANYONE
  const compiled = rules.map((options, index) => {
    const mismatch = compileWho(options)
    return {
      rule: {
        name: `rules[${index}]`,
        access: options.access,
        admits: identity => mismatch(identity) === undefined,
      } satisfies AccessRule,
      path: new RegExp(`^(?:${options.paths.map(sourceOf).join('|')})$`),
      methods: options.methods === undefined ? undefined : new Set(options.methods),
    }
  })
  return (method, path) => {
    const spelt = oneSpelling(path)
    for (const { rule, path: pattern, methods } of compiled) {
      if ((methods === undefined || methods.has(method)) && pattern.test(spelt)) return rule
    }
    return undefined
  }
}

/** `/**` at the end stands for the folder itself and all below it, `*` for anything but a slash. */
function sourceOf(pattern: string): string {
  const whole = pattern.endsWith('/**')
  const source = (whole ? pattern.slice(0, -3) : pattern)
    .split('*')
    // Written as a person would, judged as it is sent: `/é` matches `/%C3%A9`.
    .map(text => RegExp.escape(oneSpelling(encodeURI(text).replaceAll('%25', '%'))))
    .join('[^/]*')
  return whole ? `${source}(?:/.*)?` : source
}

/**
 * `/%c3%a9` is `/%C3%A9`, and `/%40me` is `/@me`, to every app (RFC 3986 §2.1, §6.2.2.1): the rule for the one has to
 * meet the other, or its people are let in by a rule behind it. Letters, dots and slashes in escapes never get here.
 */
function oneSpelling(path: string): string {
  if (!path.includes('%')) return path
  return path.replaceAll(/%[0-9a-f]{2}/gi, escape => {
    const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16))
    return "!$&'()*+,:=@[]|".includes(character) ? character : escape.toUpperCase()
  })
}
