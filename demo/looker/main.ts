import { readFile } from 'node:fs/promises'
import { startEmulatedLooker } from './emulated-looker.ts'

const { env } = process

async function readTls(): Promise<{ tls?: { key: string; cert: string } }> {
  const { TLS_KEY_FILE: keyFile, TLS_CERT_FILE: certFile } = env
  if (keyFile === undefined && certFile === undefined) return {}
  if (keyFile === undefined || certFile === undefined) {
    throw new Error('TLS_KEY_FILE and TLS_CERT_FILE are needed together')
  }
  return { tls: { key: await readFile(keyFile, 'utf8'), cert: await readFile(certFile, 'utf8') } }
}

const looker = await startEmulatedLooker({
  port: Number(env['PORT'] ?? 9999),
  host: env['HOST'] ?? '0.0.0.0',
  clientId: env['LOOKER_CLIENT_ID'] ?? 'demo-client',
  clientSecret: env['LOOKER_CLIENT_SECRET'] ?? 'demo-secret',
  domainAllowlist: (env['DOMAIN_ALLOWLIST'] ?? '').split(',').flatMap(entry => entry.trim() || []),
  control: true,
  ...(await readTls()),
})
console.log(`Emulated Looker on ${looker.url}`)

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void looker.close())
