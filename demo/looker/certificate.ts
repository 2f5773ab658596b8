import { isIP } from 'node:net'
import { generate } from 'selfsigned'

const DAY_MILLISECONDS = 86_400_000

export interface Certificate {
  /** PEM. */
  readonly key: string
  /** PEM. It signs itself, so a client that trusts this file (`caFile`) trusts the server. */
  readonly cert: string
}

/** A certificate for these host names and addresses, good from yesterday for a year. */
export async function makeCertificate(hosts: string[]): Promise<Certificate> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: hosts[0] ?? 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    // Yesterday, since a container's clock may be a little behind its host's.
    notBeforeDate: new Date(Date.now() - DAY_MILLISECONDS),
    notAfterDate: new Date(Date.now() + 365 * DAY_MILLISECONDS),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', digitalSignature: true, keyCertSign: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: hosts.map(host => (isIP(host) === 0 ? { type: 2, value: host } : { type: 7, ip: host })),
      },
    ],
  })
  return { key, cert }
}
