import { readFile } from 'node:fs/promises'
import type { Certificate } from './certificate.ts'
import { startEmulatedLooker } from './emulated-looker.ts'

const { env } = process

async function readCertificate(): Promise<{ certificate?: Certificate }> {
  const { TLS_KEY_FILE: keyFile, TLS_CERT_FILE: certFile } = env
  if (keyFile === undefined && certFile === undefined) return {}
  if (keyFile === undefined || certFile === undefined) {
    throw new Error('TLS_KEY_FILE and TLS_CERT_FILE are needed together')
  }
  return { certificate: { key: await readFile(keyFile, 'utf8'), cert: await readFile(certFile, 'utf8') } }
}

const looker = await startEmulatedLooker({
  port: Number(env['PORT'] ?? 9999),
  host: env['HOST'] ?? '0.0.0.0',
  clientId: env['LOOKER_CLIENT_ID'] ?? 'demo-client',
  clientSecret: env['LOOKER_CLIENT_SECRET'] ?? 'demo-secret',
  domainAllowlist: (env['DOMAIN_ALLOWLIST'] ?? '').split(',').flatMap(entry => entry.trim() || []),
  control: true,
  ...(await readCertificate()),
  ...(env['LOOKER_EMBED_SECRET'] === undefined ? {} : { embedSecret: env['LOOKER_EMBED_SECRET'] }),
})
console.log(`Emulated Looker on ${looker.url} and ${looker.secureUrl}`)

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void looker.close())
