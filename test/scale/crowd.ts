import { createPrivateKey } from 'node:crypto'
import type { DemoIssuer } from '../../demo/issuer/issuer.ts'

/** Subject tokens of as many people, with the key read once: reading it costs more than signing. */
export function signForMany(issuer: DemoIssuer, people: number): Promise<string[]> {
  const key = createPrivateKey({ key: { ...issuer.signingKeys[0] }, format: 'jwk' })
  return Promise.all(
    Array.from({ length: people }, (_, index) =>
      issuer.sign({ sub: `person-${index}`, email: `person-${index}@example.com` }, { key }),
    ),
  )
}
