import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signCompact } from '../../demo/issuer/keys.ts'
import { documentedCode } from '../support/documented.ts'
import { ecKey } from '../support/plain-issuer.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startWorld, type World } from '../support/world.ts'

const PAGE = 'your-app.md'
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** As the page has it. */
const ISSUER = 'https://app.example.com'
const AUDIENCE = 'http://127.0.0.1:3000'
const KEYS = 'http://127.0.0.1:8080/sallyport/jwks.json'

interface Language {
  readonly name: string
  /** Of the block on the page. */
  readonly block: string
  /** Why it cannot be run here. */
  readonly missing: string | undefined
  /** Command and arguments that print what the code makes of each assertion of a JSON list: claims, or null for a refusal. */
  run(code: string, assertions: string): readonly [string, ...string[]]
}

const LANGUAGES: readonly Language[] = [
  {
    name: 'TypeScript',
    block: 'ts',
    missing: undefined,
    run: (code, assertions) => [
      process.execPath,
      '--input-type=module-typescript',
      '--eval',
      `${code}
       const said = ${assertions}.map((assertion: string) =>
         whoIs({ headers: { 'x-sallyport-assertion': assertion } } as unknown as IncomingMessage).catch(() => null))
       process.stdout.write(JSON.stringify(await Promise.all(said)))`,
    ],
  },
  {
    name: 'Python',
    block: 'python',
    missing: missingPython(),
    run: (code, assertions) => [
      'python3',
      '-c',
      `${code}
import json
def said(assertion):
    try:
        return who_is({"X-Sallyport-Assertion": assertion})
    except jwt.PyJWTError:
        return None
print(json.dumps([said(assertion) for assertion in ${assertions}]))`,
    ],
  },
]

function missingPython(): string | undefined {
  const { status } = spawnSync('python3', ['-c', 'import cryptography, jwt; jwt.PyJWKClient'])
  return status === 0 ? undefined : 'needs python3 with pyjwt[crypto]'
}

/** A key of the test's own, published as Sallyport publishes its keys: with it anything can be signed. */
const own = ecKey('own')
const claims = (given: Record<string, unknown> = {}): Record<string, unknown> => {
  const now = Math.floor(Date.now() / 1000)
  return { iss: ISSUER, aud: AUDIENCE, sub: 'ana', idp: 'corp', groups: [], iat: now, exp: now + 60, ...given }
}
const signed = (given?: Record<string, unknown>, header: Record<string, unknown> = {}, key = own.privateKey): string =>
  signCompact({ alg: 'ES256', kid: 'own', typ: 'JWT', ...header }, claims(given), key)
const unsigned = signed().replace(/^[^.]+/, Buffer.from('{"alg":"none","kid":"own"}').toString('base64url'))

let world: World
let published: Upstream
let real = ''
let realKeys = ''

beforeAll(async () => {
  world = await startWorld()
  published = await startUpstream((_request, response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys: [own.jwk] })),
  )
  const sidecar = await world.sidecar({ server: { publicUrl: ISSUER } })
  realKeys = `${sidecar.url}/sallyport/jwks.json`
  const headers = { authorization: `Bearer ${await world.issuer.sign({ sub: 'ana' })}` }
  await (await sidecar.fetch('/headers', { headers })).text()
  real = String(world.app.requests.at(-1)?.headers['x-sallyport-assertion'])
})
afterAll(async () => {
  await published.close()
  await world.close()
})

/** What the page's code of a language makes of each of these. */
async function saidOf(
  { block, run }: Language,
  assertions: readonly string[],
  keys: string,
  audience: string,
): Promise<unknown[]> {
  const [code = ''] = documentedCode(PAGE, block)
  for (const written of [ISSUER, AUDIENCE, KEYS]) expect(code).toContain(written)
  const [command, ...args] = run(code.replace(KEYS, keys).replace(AUDIENCE, audience), JSON.stringify(assertions))
  const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  if (output === '') throw new Error(errors)
  return JSON.parse(output) as unknown[]
}

describe.each(LANGUAGES)('$name', language => {
  const where = language.missing === undefined ? '' : `, skipped: ${language.missing}`
  const testHere = test.skipIf(language.missing !== undefined)

  testHere(`reads who it is in an assertion that the app received${where}`, async () => {
    const ana = { sub: 'ana', email: 'ana@example.com', groups: ['analytics'], idp: 'corp' }
    expect(await saidOf(language, [real], realKeys, world.app.url)).toEqual([expect.objectContaining(ana)])
  })

  testHere(`refuses what is not for it, or not from Sallyport, or too old${where}`, async () => {
    const past = Math.floor(Date.now() / 1000) - 600
    const refused = {
      expired: signed({ iat: past, exp: past + 60 }),
      'without an end': signed({ exp: undefined }),
      'of another issuer': signed({ iss: 'https://evil.example' }),
      'for another app': signed({ aud: 'http://127.0.0.1:3001' }),
      'without an audience': signed({ aud: undefined }),
      'of nobody': signed({ sub: undefined }),
      'with another key under the same id': signed({}, {}, ecKey('own').privateKey),
      'with a key that is not published': signed({}, { kid: 'other' }, ecKey('other').privateKey),
      changed: signed().replace(/[^.](?=[^.]{20}$)/, last => (last === 'A' ? 'B' : 'A')),
      unsigned,
      'none at all': '',
    }
    const good = signed()
    const said = await saidOf(language, [good, ...Object.values(refused)], published.url, AUDIENCE)
    const names = ['good', ...Object.keys(refused)]
    expect(Object.fromEntries(names.map((name, index) => [name, said[index]]))).toEqual({
      good: expect.objectContaining({ sub: 'ana' }),
      ...Object.fromEntries(Object.keys(refused).map(name => [name, null])),
    })
  })
})
