import { loadConfig } from '../config/load.ts'
import { Refusal } from '../core/failure.ts'
import { compileGrants } from '../policy/grants.ts'
import { identityInFile } from './claims-file.ts'

/** Says which grant a person with these claims gets, what Looker would be told, and why no earlier grant matched. */
export function explainGrants(configFile: string, claimsFile: string, issuerName: string | undefined): number {
  // Who gets what is decided by the file and the claims alone: no secret is needed to say it.
  const { config } = loadConfig(configFile, process.env, () => false)
  const grants = compileGrants(config.grants, config.looker.externalUserId)
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  try {
    const identity = identityInFile(config, claimsFile, issuerName)
    for (const { grant, mismatch } of grants.explain(identity))
      say(mismatch === undefined ? `${grant}: matches` : `${grant}: no — ${mismatch}`)
    const scope = grants.scopeOf(identity)
    say('')
    for (const name of ['externalUserId', 'permissions', 'models', 'groupIds', 'userAttributes'] as const) {
      say(`${name}: ${JSON.stringify(scope[name])}`)
    }
    return 0
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    say('')
    say(reasonOf(error))
    return 1
  }
}

function reasonOf({ failure }: Refusal): string {
  if (failure.kind === 'no-grant') return 'no grant matches: this person gets no Looker token'
  if (failure.kind === 'claim-missing') {
    return `refused: the grant "${failure.grant}" needs "${failure.claim}" for ${failure.usedBy}, and the claims do not say it`
  }
  return failure.kind === 'token-rejected' ? `refused: ${failure.detail}` : `refused: ${failure.kind}`
}
