import type { Identity } from '../core/identity.ts'
import type { AccessRule } from '../core/permit.ts'
import { compileWho, list, type Mismatch, type WhoOptions } from './who.ts'

export interface RuleOptions extends WhoOptions {
  readonly paths: readonly string[]
  readonly methods?: readonly string[] | undefined
  readonly access: 'public' | 'authenticated'
}

/** Finds the rule for a request. `path` is canonical and without its query. */
export type RuleBook = (method: string, path: string) => AccessRule | undefined

export interface RuleVerdict {
  readonly rule: string
  /** Why it does not decide; undefined for the one that does. */
  readonly mismatch: string | undefined
}

export interface RuleExplanation {
  /** The rules up to and with the one that decides, in their order. */
  readonly verdicts: readonly RuleVerdict[]
  readonly decides: AccessRule | undefined
  /** Why the rule that decides does not admit the person; undefined where it does, or there is nobody to admit. */
  readonly refusal: string | undefined
}

interface CompiledRule {
  readonly rule: AccessRule
  readonly path: RegExp
  readonly methods: ReadonlySet<string> | undefined
  readonly mismatch: Mismatch
}

const ANYONE: AccessRule = { name: 'default', access: 'authenticated', admits: () => true }

/**
 * Compiles the rules once. The first whose paths and methods match decides, whoever asks: a person it does not
 * admit is refused and not handed to the rules behind it. Without rules every path needs an identity.
 */
export function compileRules(rules: readonly RuleOptions[] | undefined): RuleBook {
  if (rules === undefined) return () => ANYONE
  const compiled = rules.map(compileRule)
  return (method, path) => {
    const spelt = oneSpelling(path)
    for (const { rule, path: pattern, methods } of compiled) {
      if ((methods === undefined || methods.has(method)) && pattern.test(spelt)) return rule
    }
    return undefined
  }
}

/** As the compiled rules decide, and why; for an administrator, who asks once. */
export function explainRules(
  rules: readonly RuleOptions[] | undefined,
  method: string,
  path: string,
  identity: Identity | undefined,
): RuleExplanation {
  if (rules === undefined) {
    return { verdicts: [{ rule: ANYONE.name, mismatch: undefined }], decides: ANYONE, refusal: undefined }
  }
  const spelt = oneSpelling(path)
  const verdicts: RuleVerdict[] = []
  for (const [index, options] of rules.entries()) {
    const { rule, path: pattern, methods, mismatch } = compileRule(options, index)
    const reasons = [
      pattern.test(spelt) ? [] : [`its paths are ${list(options.paths)}`],
      methods === undefined || methods.has(method) ? [] : [`its methods are ${[...methods].join(', ')}`],
    ].flat()
    verdicts.push({ rule: rule.name, mismatch: reasons.length === 0 ? undefined : reasons.join('; ') })
    if (reasons.length === 0) {
      const refusal = identity === undefined || rule.access === 'public' ? undefined : mismatch(identity)
      return { verdicts, decides: rule, refusal }
    }
  }
  return { verdicts, decides: undefined, refusal: undefined }
}

function compileRule(options: RuleOptions, index: number): CompiledRule {
  const mismatch = compileWho(options)
  return {
    rule: {
      name: `rules[${index}]`,
      access: options.access,
      admits: identity => mismatch(identity) === undefined,
    },
    path: new RegExp(`^(?:${options.paths.map(sourceOf).join('|')})$`),
    methods: options.methods === undefined ? undefined : new Set(options.methods),
    mismatch,
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
