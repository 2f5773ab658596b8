import { readFileSync } from 'node:fs'
import type { Config } from '../config/schema.ts'
import type { Claims, Identity } from '../core/identity.ts'
import { identityFrom } from '../identity/claims.ts'

/**
 * Who these claims speak of, read as the issuer that they name, or that is named, gives them.
 * @throws {Refusal} `token-rejected` where they name nobody.
 */
export function identityInFile(config: Config, claimsFile: string, issuerName: string | undefined): Identity {
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
  return identityFrom(complete, issuer, 'jwt', { now: Date.now })
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
