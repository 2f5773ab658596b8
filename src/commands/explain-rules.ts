import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { Refusal } from '../core/failure.ts'
import type { Identity } from '../core/identity.ts'
import { readTarget } from '../http/canonical-path.ts'
import { explainRules, type RuleExplanation } from '../policy/rules.ts'
import { identityInFile } from './claims-file.ts'

export interface RuleQuestion {
  readonly method: string
  /** As it would be requested; a query may be there, and is not judged. */
  readonly target: string
  /** Absent: nobody is signed in. */
  readonly claimsFile: string | undefined
  readonly issuerName: string | undefined
}

/** Says which rule decides a request, how, and why no earlier rule did. Exit 0: it is let in; 1: it is not. */
export function explainRulesOf(configFile: string, question: RuleQuestion): number {
  // As with grants: no secret is needed to say it.
  const { config } = loadConfig(configFile, process.env, () => false)
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  try {
    const path = pathOf(question.target, config.server.prefix)
    const identity = identityOf(config, question)
    const explanation = explainRules(config.rules, question.method.toUpperCase(), path, identity)
    for (const { rule, mismatch } of explanation.verdicts)
      say(mismatch === undefined ? `${rule}: decides` : `${rule}: no — ${mismatch}`)
    const refusal = refusalOf(explanation, identity)
    say('')
    say(refusal ?? `allowed: ${explanation.decides?.access === 'public' ? 'everybody is' : 'the person is admitted'}`)
    return refusal === undefined ? 0 : 1
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const { failure } = error
    say(`refused: ${'detail' in failure ? failure.detail : failure.kind}`)
    return 1
  }
}

function pathOf(target: string, prefix: string): string {
  const { path } = readTarget(target)
  if (path !== prefix && !path.startsWith(`${prefix}/`)) return path
  throw new Error(`${path}: is under ${prefix}, which is Sallyport's own; rules are not asked there`)
}

function identityOf(config: Config, { claimsFile, issuerName }: RuleQuestion): Identity | undefined {
  return claimsFile === undefined ? undefined : identityInFile(config, claimsFile, issuerName)
}

/** As `Permit.decide` has it, in words. */
function refusalOf({ decides, refusal }: RuleExplanation, identity: Identity | undefined): string | undefined {
  if (decides === undefined) return 'refused: no rule matches'
  if (decides.access === 'public') return undefined
  if (identity === undefined) return 'needs an identity: nobody is signed in'
  return refusal === undefined ? undefined : `refused: it ${refusal}`
}
