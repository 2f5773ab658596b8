import { afterAll, beforeAll, expect, test } from 'vitest'
import { rawRequest, sendRaw } from '../support/raw-http.ts'
import { type Sidecar, startWorld, type World } from '../support/world.ts'

let world: World
let sidecar: Sidecar
let ana: string
beforeAll(async () => {
  world = await startWorld()
  sidecar = await world.sidecar({ rules: [{ paths: ['/public/**'], access: 'public' }, { paths: ['/**'] }] })
  ana = await world.issuer.sign({ sub: 'ana' })
})
afterAll(() => world.close())

/** What the app got, as `name: value` lines with names in lower case. */
async function received(path: string, headers: readonly string[]): Promise<string[]> {
  const before = world.app.requests.length
  await sendRaw(sidecar.url, rawRequest(`GET ${path}`, ['Host: app.example.com', ...headers]))
  expect(world.app.requests.length).toBe(before + 1)
  const raw = world.app.requests.at(-1)?.rawHeaders ?? []
  return raw.flatMap((name, index) => (index % 2 === 0 ? [`${name.toLowerCase()}: ${raw[index + 1]}`] : []))
}

const named = (lines: readonly string[], pattern: RegExp): string[] =>
  lines.filter(line => pattern.test(line.split(':', 1)[0] ?? ''))
const IDENTITY = /^x[-_](forwarded[-_](user|email|preferred[-_]username|groups)|sallyport[-_]assertion)$/
const OF_ANA = [
  'x-forwarded-user: ana',
  'x-forwarded-email: ana@example.com',
  'x-forwarded-preferred-username: ana',
  'x-forwarded-groups: analytics',
  expect.stringMatching(/^x-sallyport-assertion: ey[\w-]+\.[\w-]+\.[\w-]+$/),
]

const SPELLINGS = [
  'X-Forwarded-User',
  'x-forwarded-user',
  'X-FORWARDED-USER',
  'X_Forwarded_User',
  'x_forwarded_user',
  'X.Forwarded.User',
  'x!forwarded~user',
  'X-Forwarded_User',
  'X_FORWARDED-USER',
  'X-Forwarded-Email',
  'X_Forwarded_Email',
  'X-Forwarded-Preferred-Username',
  'x-forwarded-preferred_username',
  'X-Forwarded-Groups',
  'X_FORWARDED_GROUPS',
  'X-Sallyport-Assertion',
  'x_sallyport_assertion',
]

test('the app is told who is calling, in the words of the contract', async () => {
  expect(named(await received('/headers', [`Authorization: Bearer ${ana}`]), IDENTITY)).toEqual(OF_ANA)
})

test.for(SPELLINGS)('case 75, http fact 7: %s of the client is not what the app gets', async name => {
  const lines = await received('/headers', [`${name}: admin`, `Authorization: Bearer ${ana}`, `${name}: root`])
  expect(named(lines, IDENTITY)).toEqual(OF_ANA)
  expect(lines.join('\n')).not.toMatch(/: (admin|root)/)
})

test.for(SPELLINGS)('case 75, http fact 7: %s of the client does not make somebody of nobody', async name => {
  const lines = await received('/public/hello.txt', [`${name}: admin`])
  expect(named(lines, IDENTITY)).toEqual([])
  expect(lines.join('\n')).not.toContain('admin')
})

test.for(['x-forwarded-user', 'X-Forwarded-Groups, X-Forwarded-Email', 'close, x-request-id', 'x-forwarded-for'])(
  'case 73, http fact 8: “Connection: %s” does not take away what Sallyport says',
  async names => {
    const lines = await received('/headers', [`Authorization: Bearer ${ana}`, `Connection: ${names}`])
    expect(named(lines, IDENTITY)).toEqual(OF_ANA)
    expect(named(lines, /^x-(request-id|forwarded-for)$/)).toHaveLength(2)
  },
)

test('case 75: forwarded headers of an untrusted client are replaced or dropped', async () => {
  const lines = await received('/headers', [
    `Authorization: Bearer ${ana}`,
    'X-Forwarded-For: 6.6.6.6',
    'X-Forwarded-Host: evil.example',
    'X-Forwarded-Proto: gopher',
    'X-Forwarded-Port: 666',
    'X-Forwarded-Prefix: /evil',
    'X-Forwarded-Uri: /evil',
    'Forwarded: for=6.6.6.6;host=evil.example',
    'X-Real-IP: 6.6.6.6',
    'X_Real_IP: 6.6.6.6',
  ])
  expect(named(lines, /^(forwarded|x[-_](forwarded[-_](for|host|proto|port|prefix|uri)|real[-_]ip))$/).sort()).toEqual([
    'x-forwarded-for: 127.0.0.1',
    'x-forwarded-host: 127.0.0.1:8080',
    'x-forwarded-proto: http',
  ])
  expect(lines.join('\n')).not.toMatch(/6\.6\.6\.6|evil|gopher|666/)
})

test.for([
  'X-HTTP-Method',
  'X-HTTP-Method-Override',
  'X-Method-Override',
  'X-Original-URL',
  'X-Rewrite-URL',
  'X_HTTP_METHOD_OVERRIDE',
])('case 78: %s does not make the app do what policy did not judge', async name => {
  const lines = await received('/headers', [`Authorization: Bearer ${ana}`, `${name}: DELETE`])
  expect(lines.join('\n')).not.toContain('DELETE')
})

test('the bearer that authenticated here is not the app’s to use', async () => {
  expect((await received('/headers', [`Authorization: bEARER ${ana}`])).join('\n')).not.toContain(ana.slice(0, 40))
})

test('a comma in the name of a group does not make two groups of it', async () => {
  const token = await world.issuer.sign({ sub: 'ana', groups: ['staff,admins', '100%'] })
  const lines = await received('/headers', [`Authorization: Bearer ${token}`])
  expect(named(lines, /^x-forwarded-groups$/)).toEqual(['x-forwarded-groups: staff%2Cadmins,100%25'])
})

test('a name that is not ASCII arrives as UTF-8', async () => {
  const token = await world.issuer.sign({ sub: 'ana', preferred_username: 'Zoë 山' })
  const [line = ''] = named(await received('/headers', [`Authorization: Bearer ${token}`]), /preferred/)
  expect(Buffer.from(line, 'latin1').toString()).toBe('x-forwarded-preferred-username: Zoë 山')
})
