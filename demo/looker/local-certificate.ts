import { X509Certificate } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Certificate, makeCertificate } from './certificate.ts'

// The last is its name in docker-compose.yml.
const HOSTS = ['localhost', '127.0.0.1', '::1', 'looker.localhost']
const DAY_MILLISECONDS = 86_400_000

let made: Promise<Certificate> | undefined

/**
 * The certificate of a Looker on this machine. It is made at the first run and kept in the user's cache, so that a browser
 * that has been told to accept it is not asked again at every start.
 */
export function localCertificate(): Promise<Certificate> {
  const { XDG_CACHE_HOME: cache, HOME: home } = process.env
  made ??= findOrMake(join(cache ?? join(home ?? tmpdir(), '.cache'), 'sallyport-demo'))
  return made
}

async function findOrMake(directory: string): Promise<Certificate> {
  // One file, so that a key is never read with the certificate of another.
  const file = join(directory, 'localhost.pem')
  const kept = await readFile(file, 'utf8').then(split, () => undefined)
  if (kept !== undefined) return kept
  const certificate = await makeCertificate(HOSTS)
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const draft = `${file}.${process.pid}`
    await writeFile(draft, `${certificate.cert}\n${certificate.key}`, { mode: 0o600 })
    // Whole or not at all: several may start at once.
    await rename(draft, file)
  } catch (error) {
    // A container may have nowhere to keep it. It is good for this run all the same.
    console.warn(`The certificate is not kept for the next run: ${String(error)}`)
  }
  return certificate
}

function split(text: string): Certificate | undefined {
  const [cert, key] = [
    /-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\r?\n?/s,
    /-----BEGIN [A-Z ]*PRIVATE KEY-----.*/s,
  ].map(pattern => pattern.exec(text)?.[0])
  if (cert === undefined || key === undefined) return undefined
  const ends = new X509Certificate(cert).validToDate.getTime()
  return ends - Date.now() > 30 * DAY_MILLISECONDS ? { cert, key } : undefined
}
