import { existsSync, readFileSync } from 'node:fs'
import { stringify as stringifyToml } from 'smol-toml'
import { describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { FLAGS } from '../../src/migrate/oauth2-proxy/flags.ts'
import { createSettings, readConfigFile } from '../../src/migrate/oauth2-proxy/settings.ts'
import { openPathOf } from '../../src/migrate/oauth2-proxy/skip-auth.ts'
import { translate } from '../../src/migrate/oauth2-proxy/translate.ts'
import { temporaryFile } from '../config/file.ts'
import { type Ended, linesOf, runCommand } from './process.ts'

type Written = Record<string, unknown>

/** Enough for oauth2-proxy to start. */
const BASE = {
  provider: 'oidc',
  oidc_issuer_url: 'https://id.example.com',
  client_id: 'web',
  client_secret: 'hunter2-client',
  redirect_url: 'https://app.example.com/oauth2/callback',
  email_domains: ['*'],
  upstreams: ['http://127.0.0.1:3000/'],
}

async function migrate(keys: Written, ...flags: string[]): Promise<Ended & { config: Written }> {
  const file = temporaryFile('oauth2-proxy.cfg', stringifyToml({ ...BASE, ...keys }))
  return withConfig(await runCommand(['migrate', 'oauth2-proxy', file, ...flags]))
}

/** As the command has it, without a process of its own. */
function translated(keys: Written): { config: Written; text: string } {
  const settings = createSettings(readConfigFile(stringifyToml({ ...BASE, ...keys })))
  const translation = translate(settings, file => (existsSync(file) ? readFileSync(file, 'utf8') : undefined))
  return { config: translation.config as Written, text: JSON.stringify(translation) }
}

function withConfig(ended: Ended): Ended & { config: Written } {
  expect([ended.code, ended.stderr]).toEqual([0, expect.not.stringMatching(/check will say|undefined/)])
  return { ...ended, config: parse(ended.stdout) as Written }
}

test('what it prints passes check once Looker is filled in, and secrets are where they were or in the environment', async () => {
  const { stdout, stderr, config } = await migrate({
    http_address: ':4180',
    metrics_address: '0.0.0.0:44180',
    cookie_secret: 'hunter2-cookie',
    cookie_expire: '24h0m0s',
    scope: 'openid groups offline_access',
    oidc_groups_claim: 'roles',
    oidc_extra_audiences: ['api'],
    allowed_groups: ['analytics', 'admins'],
    email_domains: ['example.com'],
    upstream_timeout: '1m30s',
    reverse_proxy: true,
    trusted_proxy_ips: ['10.0.0.0/8'],
    session_store_type: 'redis',
    redis_connection_url: 'redis://:hunter2-redis@redis:6379',
    basic_auth_password: 'hunter2-basic',
    signature_key: 'sha256:hunter2-signature',
  })
  expect(config).toEqual({
    server: {
      publicUrl: 'https://app.example.com',
      listen: '0.0.0.0:4180',
      admin: '0.0.0.0:44180',
      prefix: '/oauth2',
      trustedProxies: ['10.0.0.0/8'],
    },
    issuers: [
      {
        name: 'oidc',
        issuer: 'https://id.example.com',
        audiences: ['web', 'api'],
        claims: { groups: 'roles' },
        login: {
          clientId: 'web',
          clientSecret: { fromEnv: 'OAUTH2_PROXY_CLIENT_SECRET' },
          scopes: ['openid', 'groups', 'offline_access'],
        },
      },
    ],
    app: { url: 'http://127.0.0.1:3000', timeoutSeconds: 90 },
    rules: [{ paths: ['/**'], groups: ['analytics', 'admins'], emails: ['*@example.com'] }],
    looker: {
      url: 'https://change-me.cloud.looker.com',
      clientId: { fromEnv: 'LOOKERSDK_CLIENT_ID' },
      clientSecret: { fromEnv: 'LOOKERSDK_CLIENT_SECRET' },
    },
    store: {
      redis: { url: { fromEnv: 'OAUTH2_PROXY_REDIS_CONNECTION_URL' } },
      sealKeys: [{ id: 'k1', key: { fromEnv: 'SALLYPORT_SEAL_KEY' } }],
    },
    session: { absoluteHours: 24 },
  })
  expect(stdout + stderr).not.toContain('hunter2')

  const file = temporaryFile('sallyport.yaml', stdout.replaceAll('change-me', 'company'))
  const checked = await runCommand(['check', '--config', file], {
    OAUTH2_PROXY_CLIENT_SECRET: 'x',
    OAUTH2_PROXY_REDIS_CONNECTION_URL: 'redis://:x@redis:6379',
    LOOKERSDK_CLIENT_ID: 'x',
    LOOKERSDK_CLIENT_SECRET: 'x',
    SALLYPORT_SEAL_KEY: Buffer.alloc(32, 1).toString('base64'),
  })
  expect(checked.code).toBe(0)
})

test('flags are read as oauth2-proxy is started with them, and count before the file', async () => {
  const file = temporaryFile('oauth2-proxy.cfg', stringifyToml({ ...BASE, client_secret_file: '/run/secrets/x' }))
  const { config, stderr } = withConfig(
    await runCommand(
      [
        `migrate oauth2-proxy -- --config=${file} --http-address 0.0.0.0:80 --client-secret= --client-id=other`,
        '--allowed-group=a,b --allowed-group c --skip-jwt-bearer-tokens --cookie-secure=true',
        '--extra-jwt-issuers=https://two.example.com=api,https://two.example.com=web',
      ].flatMap(line => line.split(' ')),
    ),
  )
  expect(config).toMatchObject({
    server: { listen: '0.0.0.0:80' },
    issuers: [
      {
        audiences: ['other'],
        allowIdTokens: true,
        login: { clientSecret: { fromFile: '/run/secrets/x' }, scopes: ['openid', 'email', 'profile', 'groups'] },
      },
      { issuer: 'https://two.example.com', audiences: ['api', 'web'], allowIdTokens: true },
    ],
    rules: [{ groups: ['a', 'b', 'c'] }],
  })
  expect(stderr).not.toContain('cookie-secure')
})

test('the alpha configuration is read beside the older one', async () => {
  const core = temporaryFile('core.cfg', stringifyToml({ redirect_url: BASE.redirect_url, email_domains: ['*'] }))
  const alpha = temporaryFile(
    'alpha.yaml',
    stringify({
      server: { BindAddress: '0.0.0.0:4180' },
      providers: [
        {
          id: 'kc',
          provider: 'keycloak-oidc',
          clientID: 'web',
          clientSecret: 'hunter2-client',
          oidcConfig: { issuerURL: 'https://id.example.com/realms/corp', emailClaim: 'mail' },
          keycloakConfig: { roles: ['admin'] },
          loginURLParameters: [{ name: 'prompt' }],
        },
      ],
      upstreamConfig: { upstreams: [{ id: 'app', path: '/', uri: 'http://127.0.0.1:3000', timeout: '10s' }] },
      injectRequestHeaders: [{ name: 'X-Forwarded-User' }, { name: 'X-Tenant' }],
    }),
  )
  const { config, stdout, stderr } = withConfig(
    await runCommand(['migrate', 'oauth2-proxy', '--alpha-config', alpha, '--config', core]),
  )
  expect(config).toMatchObject({
    server: { publicUrl: 'https://app.example.com', listen: '0.0.0.0:4180' },
    issuers: [{ name: 'keycloak', issuer: 'https://id.example.com/realms/corp', claims: { email: 'mail' } }],
    app: { url: 'http://127.0.0.1:3000', timeoutSeconds: 10 },
    rules: [{ paths: ['/**'], claims: { 'realm_access.roles': ['admin'] } }],
  })
  expect(stderr).toContain('providers.loginURLParameters: is nothing of oauth2-proxy’s that this knows')
  expect(stderr).toContain('header X-Tenant: is nothing of oauth2-proxy’s that this knows')
  expect(stdout + stderr).not.toContain('hunter2')
})

describe('lets nobody in whom oauth2-proxy kept out', () => {
  const decides = (keys: Written): unknown => translated(keys).config['rules']

  test('paths that were open are, by method', () => {
    expect(
      decides({ skip_auth_routes: ['GET=^/health$', '^/static/'], skip_auth_regex: ['^/(robots|ads)\\.txt$'] }),
    ).toEqual([
      { paths: ['/health'], methods: ['GET'], access: 'public' },
      { paths: ['/static/*/**'], access: 'public' },
      { paths: ['/robots.txt', '/ads.txt'], access: 'public' },
      { paths: ['/**'] },
    ])
    expect(decides({ skip_auth_preflight: true })).toContainEqual({
      paths: ['/**'],
      methods: ['OPTIONS'],
      access: 'public',
    })
  })

  test('a route that no pattern can say stays closed, and is told', () => {
    const { config, text } = translated({ skip_auth_routes: ['!=^/private', '^/v[0-9]+/open'] })
    expect(config['rules']).toEqual([{ paths: ['/**'] }])
    expect(text).toContain('skip-auth-route !=^/private')
    expect(text).toContain('skip-auth-route ^/v[0-9]+/open')
  })

  test('restrictions that no claim can say admit nobody', () => {
    for (const keys of [{ google_groups: ['a@example.com'] }, { github_org: 'org' }]) {
      expect(decides({ ...keys, allowed_groups: ['x'] })).toEqual([{ paths: ['/**'], groups: ['change-me'] }])
    }
  })

  test('addresses come from the file; without any, and without domains, nobody is admitted', () => {
    const file = temporaryFile('emails', '# people\nana@example.com\nvic@example.com,Vic\n*\n')
    const emails = { authenticated_emails_file: file, email_domains: [] }
    expect(decides(emails)).toEqual([{ paths: ['/**'], emails: ['ana@example.com', 'vic@example.com'] }])
    expect(decides({ ...emails, email_domains: ['corp.com'] })).toEqual([
      { paths: ['/**'], emails: ['*@corp.com', 'ana@example.com', 'vic@example.com'] },
    ])
    for (const keys of [{ ...emails, authenticated_emails_file: '/nowhere' }, { email_domains: ['.example.com'] }]) {
      expect(decides(keys)).toEqual([{ paths: ['/**'], emails: ['nobody@change-me.example.com'] }])
    }
  })

  test('paths that no upstream had are no rule’s', () => {
    const { config } = translated({ upstreams: ['http://127.0.0.1:3000/a/', 'http://127.0.0.1:3000/b'] })
    expect(config).toMatchObject({ app: { url: 'http://127.0.0.1:3000' }, rules: [{ paths: ['/a/**', '/b'] }] })
  })
})

test.each([
  ['^/health$', ['/health']],
  ['/health', ['/health/**']],
  ['^/public/.*$', ['/public/*/**']],
  ['^/a/[^/]+/logo\\.svg$', ['/a/*/logo.svg']],
  ['^/', ['/**']],
  ['(?i)^/x', undefined],
  ['^/x+$', undefined],
  ['static', undefined],
  ['^/a//b$', undefined],
  ['^/a/\\.\\./b$', undefined],
])('skip-auth-regex %s is %j', (regex, paths) => {
  expect(openPathOf(regex)?.paths).toEqual(paths)
})

test.each([
  [{ upstreams: ['static://202'] }, undefined],
  [{ upstreams: ['unix:///run/app.sock'] }, { url: 'unix:///run/app.sock' }],
  [{ upstreams: ['http://user:hunter2@127.0.0.1:3000/'] }, { url: 'http://127.0.0.1:3000' }],
  [{ upstreams: ['http://127.0.0.1:3000', 'http://user:hunter2@other:1/x/'] }, { url: 'http://127.0.0.1:3000' }],
])('upstreams %j', (keys, app) => {
  const { config, text } = translated(keys)
  expect(config['app']).toEqual(app)
  expect(text).not.toContain('hunter2')
})

test.each([
  [
    { redis_use_sentinel: true, redis_sentinel_master_name: 'm', redis_password: 'hunter2' },
    { redis_sentinel_connection_urls: ['redis://s1:26379', 'redis://s2'] },
    {
      sentinels: [
        { host: 's1', port: 26379 },
        { host: 's2', port: 6379 },
      ],
      sentinelName: 'm',
      password: { fromEnv: 'OAUTH2_PROXY_REDIS_PASSWORD' },
    },
  ],
  [
    { redis_use_cluster: true },
    { redis_cluster_connection_urls: 'rediss://c1:6379,rediss://c2:6379' },
    {
      cluster: [
        { host: 'c1', port: 6379 },
        { host: 'c2', port: 6379 },
      ],
      tls: true,
    },
  ],
  [{ redis_connection_url: 'redis://redis:6379' }, {}, { url: 'redis://redis:6379' }],
])('Redis: %j', (keys, more, redis) => {
  const { config, text } = translated({ session_store_type: 'redis', ...keys, ...more })
  expect(config).toMatchObject({ store: { redis } })
  expect(text).not.toContain('hunter2')
})

test.each([
  [
    { provider: 'google', oidc_issuer_url: '' },
    { name: 'google', issuer: 'https://accounts.google.com' },
  ],
  [
    { provider: 'azure', azure_tenant: 'tid', oidc_issuer_url: '' },
    { name: 'entra', issuer: 'https://login.microsoftonline.com/tid/v2.0' },
  ],
  [
    { provider: 'github', oidc_issuer_url: '' },
    { name: 'sso', issuer: 'https://change-me.example.com' },
  ],
  [{ oidc_issuer_url: 'http://dex.svc:5556' }, { issuer: 'http://dex.svc:5556', allowInsecureHttp: true }],
  [{ user_id_claim: 'mail' }, { claims: { email: 'mail' } }],
])('the issuer of %j', (keys, issuer) => {
  const { config } = translated(keys)
  expect(config).toMatchObject({ issuers: [issuer] })
})

test('each flag without an equivalent is listed with what to do instead; one that asks for what is so anyway is not', async () => {
  const lost = Object.entries(FLAGS).filter(([, { fate }]) => typeof fate === 'object')
  const flags = lost.map(([name, { kind }]) => `--${name}=${kind === 'bool' ? 'nonsense' : 'hunter2'}`)
  const { stdout, stderr } = await migrate({}, ...flags)
  for (const [name] of lost) expect(stderr).toMatch(new RegExp(`^  - ${name}: .{10}`, 'm'))
  expect(stdout + stderr).not.toContain('hunter2')
  const usual = await migrate({ cookie_samesite: 'lax', pass_host_header: true, skip_provider_button: true })
  const titles = linesOf(usual.stderr)
  expect(titles.slice(titles.indexOf('Needs nothing:'))).toEqual(['Needs nothing:', '  - skip-provider-button'])
  expect(usual.stderr).not.toMatch(/cookie-samesite|pass-host-header/)
})

test.each([
  [[], 'name its configuration file, or its flags'],
  [['/nowhere.cfg'], '/nowhere.cfg: cannot be read'],
])('says with exit 1 what it cannot read: %j', async (args, message) => {
  const { code, stdout, stderr } = await runCommand(['migrate', 'oauth2-proxy', ...args])
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toContain(message)
})

test('a file that cannot be parsed is not shown: secrets are in it', async () => {
  for (const name of ['oauth2-proxy.cfg', 'alpha.yaml']) {
    const file = temporaryFile(name, 'client_secret = "hunter2"\nhunter2: [\n')
    const { code, stdout, stderr } = await runCommand(['migrate', 'oauth2-proxy', file])
    expect(code).toBe(1)
    expect(stderr).toMatch(/is not (TOML|YAML)/)
    expect(stdout + stderr).not.toContain('hunter2')
  }
})
