import { readFileSync } from 'node:fs'
import { loadConfig } from '../config/load.ts'
import { Refusal } from '../core/failure.ts'
import type { Claims } from '../core/identity.ts'
import { identityFrom } from '../identity/claims.ts'
import { compileGrants } from '../policy/grants.ts'

/** Says which grant a person with these claims gets, what Looker would be told, and why no earlier grant matched. */
export function explainGrants(configFile: string, claimsFile: string, issuerName: string | undefined): number {
  // Who gets what is decided by the file and the claims alone: no secret is needed to say it.
  const { config } = loadConfig(configFile, process.env, () => false)
  const claims = readClaims(claimsFile)
  const issuer =
    config.issuers.find(({ name, issuer: url }) =>
      issuerName === undefined ? claims['iss'] === url : name === issuerName,
    ) ?? (issuerName === undefined && claims['iss'] === undefined ? config.issuers[0] : undefined)
  if (issuer === undefined) {
    throw new Error(
      `no configured issuer is ${issuerName ?? `"${String(claims['iss'])}"`}; there are ${config.issuers.map(({ name }) => name).join(', ')}`,
    )
  }
  // What a token has to have to be accepted is not the question here: only who it speaks of.
  const now = Math.floor(Date.now() / 1000)
  const complete = {
    ...claims,
    iss: issuer.issuer,
    aud: issuer.audiences[0],
    exp: now + 3600,
    nbf: now,
    iat: now,
    cnf: undefined,
  }
  const grants = compileGrants(config.grants, config.looker.externalUserId)
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  try {
    const identity = identityFrom(complete, issuer, 'jwt', { now: Date.now })
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

function readClaims(file: string): Claims {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new Error(`${file}: is not readable as JSON (${error instanceof Error ? error.message : String(error)})`, {
      cause: error,
    })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${file}: has to be a JSON object of claims`)
  return value as Claims
}
