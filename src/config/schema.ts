import { z } from 'zod'
import {
  absoluteUrl,
  appUrl,
  durationSeconds,
  emailPattern,
  hostPort,
  origin,
  pathPattern,
  refusesPlainHttp,
  section,
  template,
} from './values.ts'

export const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const

export const ENVIRONMENT_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/
const environmentName = z.string().regex(ENVIRONMENT_NAME, 'is not the name of an environment variable')

const SECRET_HINT = 'write { fromEnv: NAME } or { fromFile: /path }; a secret is never written in this file'
const secret = z
  .union([section({ fromEnv: environmentName }), section({ fromFile: z.string().min(1) })], { error: SECRET_HINT })
  .describe('A secret: `{ fromEnv: NAME }` or `{ fromFile: PATH }`. Files are watched.')
export type SecretSpec = z.output<typeof secret>

const names = z.array(z.string().min(1)).min(1)

/** Which identities; each key given narrows, the values of one key are alternatives. */
const who = {
  groups: names.optional().describe('Any of these groups.'),
  emails: z
    .array(emailPattern)
    .min(1)
    .optional()
    .describe('Any of these e-mail addresses; `*@example.com` stands for everybody at exactly that domain.'),
  claims: z
    .record(z.string().min(1), names)
    .optional()
    .describe('Claim name (dotted path) to the values that are accepted.'),
}

const issuer = section({
  name: z
    .string()
    .regex(
      /^[a-z0-9][a-z0-9-]{0,31}$/i,
      'use letters, digits and "-", at most 32: it appears in metrics and external ids',
    )
    .describe('A short name for this issuer.'),
  issuer: absoluteUrl.describe('The issuer identifier, exactly as its tokens say in `iss`.'),
  audiences: names.describe('A bearer token must carry one of these in `aud`.'),
  algorithms: z
    .array(z.enum(ALGORITHMS))
    .min(1)
    .default(['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'])
    .describe('Signature algorithms that are accepted.'),
  claims: section({
    subject: z.string().min(1).default('sub'),
    email: z.string().min(1).default('email'),
    name: z.string().min(1).default('name'),
    groups: z.string().min(1).default('groups'),
  })
    .prefault({})
    .describe('Where a token says what; dotted paths are allowed.'),
  allowIdTokens: z
    .boolean()
    .default(false)
    .describe('Accept ID tokens as bearer tokens. Off: they are accepted at token exchange only, when named as such.'),
  login: section({
    clientId: z.string().min(1),
    clientSecret: secret.optional(),
    scopes: names.default(['openid', 'email', 'profile']),
  })
    .optional()
    .describe('Browser sign-in with the authorization code flow.'),
  lookerOAuth: section({
    application: z
      .string()
      .min(1)
      .describe('Name or id (in quotes) of the OAuth application at Looker, as its API lists them.'),
  })
    .optional()
    .describe(
      'Puts the tokens of people who sign in with this issuer into Looker, so that a database such as BigQuery is reached in their own name without a second sign-in.',
    ),
  introspection: section({ clientId: z.string().min(1), clientSecret: secret })
    .optional()
    .describe('RFC 7662 introspection with these client credentials, for tokens that are not JWTs.'),
  caFile: z.string().min(1).optional().describe('PEM file of the CA that signed the issuer’s certificate.'),
  allowInsecureHttp: z
    .boolean()
    .default(false)
    .describe('Accept `http:` for a host that is not loopback. Development only.'),
}).check(refusesPlainHttp('issuer'))

const rule = section({
  paths: z
    .array(pathPattern)
    .min(1)
    .describe('`*` stands for one segment or a part of it, `**` at the end for everything below.'),
  methods: z
    .array(z.string().regex(/^[A-Z]+$/, 'write the method in capitals, such as GET'))
    .min(1)
    .optional()
    .describe('Any of these methods; absent: all.'),
  access: z
    .enum(['public', 'authenticated'])
    .default('authenticated')
    .describe('`public` lets everybody in, without an identity.'),
  ...who,
})

const embed = section({
  sessionLengthSeconds: z
    .int()
    .min(120)
    .max(2_592_000)
    .default(3600)
    .describe('Looker’s `session_length`: how long an embed session lasts from its beginning.'),
  renewBeforeSeconds: z
    .int()
    .min(0)
    .default(60)
    .describe('A session with less left than this is replaced by the next page that acquires one, instead of joined.'),
  secret: secret
    .optional()
    .describe('An embed secret of Looker, to sign embed URLs here; absent: Looker is asked to sign each.'),
  algorithm: z
    .enum(['hmac/sha-256', 'hmac/sha-1'])
    .default('hmac/sha-256')
    .describe('The algorithm that the embed secret was made for.'),
})

const looker = section({
  url: absoluteUrl.describe('The base URL of the Looker API, without /api/4.0.'),
  webUrl: absoluteUrl.optional().describe('The URL of Looker’s web pages, where it differs from `url`.'),
  clientId: z
    .union([z.string().min(1), secret], { error: `is neither a string nor a secret; ${SECRET_HINT}` })
    .describe('The client id of the service account’s API key.'),
  clientSecret: secret,
  externalUserId: template
    .default('{issuer}|{subject}')
    .describe('The Looker `external_user_id` of a person. Placeholders: {issuer} {subject} {email} {claim:NAME}.'),
  timeoutSeconds: durationSeconds.default(30).describe('The deadline of one call to Looker.'),
  maxConcurrent: z
    .int()
    .min(1)
    .max(256)
    .default(8)
    .describe('Calls with the service credentials at once, per replica.'),
  embed: embed.prefault({}).describe('Embedding: cookieless sessions and signed URLs.'),
  caFile: z.string().min(1).optional().describe('PEM file of the CA that signed Looker’s certificate.'),
  allowInsecureHttp: z
    .boolean()
    .default(false)
    .describe('Accept `http:` for a host that is not loopback. Development only.'),
}).check(refusesPlainHttp('url'), refusesPlainHttp('webUrl'))

const grant = section({
  name: z
    .string()
    .regex(
      /^[A-Za-z0-9][\w.-]{0,63}$/,
      'use letters, digits, ".", "_" and "-", at most 64: it is the scope of an exchange',
    )
    .describe('The name of the grant; also the scope a token exchange answers with.'),
  ...who,
  permissions: names.describe('Looker permissions.'),
  models: z.array(z.string().min(1)).default([]).describe('LookML models.'),
  groupIds: z.array(z.string().regex(/^\d+$/, 'is not a Looker group id: write it as a string of digits')).default([]),
  userAttributes: z
    .record(z.string().min(1), template)
    .default({})
    .describe('Looker user attributes; values may use the placeholders of `looker.externalUserId`.'),
  operations: names.optional().describe('Looker API operations that the gateway lets this grant call.'),
})

const node = section({ host: z.string().min(1), port: z.int().min(1).max(65_535) })
const redis = section({
  url: z
    .union([z.string().min(1), secret], { error: `is neither a string nor a secret; ${SECRET_HINT}` })
    .optional()
    .describe('redis:// or rediss:// URL of one server. A URL with a password has to be a secret.'),
  sentinels: z.array(node).min(1).optional().describe('Sentinel addresses.'),
  sentinelName: z.string().min(1).default('mymaster').describe('The name of the master that the Sentinels watch.'),
  cluster: z.array(node).min(1).optional().describe('Addresses of some nodes of a Redis Cluster.'),
  username: z.string().min(1).optional().describe('For `sentinels` and `cluster`.'),
  password: secret.optional().describe('For `sentinels` and `cluster`.'),
  tls: z.boolean().default(false).describe('TLS to `sentinels` and `cluster`.'),
  caFile: z.string().min(1).optional(),
  keyPrefix: z
    .string()
    .regex(/^[\w:.-]{0,32}$/, 'use at most 32 letters, digits, "_", ":", "." and "-"')
    .default('sallyport:')
    .describe('Put before every Redis key.'),
  commandTimeoutMilliseconds: z.int().min(10).max(10_000).default(250).describe('The deadline of one Redis command.'),
})

/** The one source of the configuration's types, defaults, messages and JSON Schema. */
export const schema = section({
  server: section({
    publicUrl: origin.describe('The origin people see, such as https://app.example.com.'),
    listen: hostPort.default('0.0.0.0:8080').describe('Where the ingress points.'),
    admin: hostPort.default('0.0.0.0:9090').describe('Metrics and probes; never behind the ingress.'),
    prefix: z
      .string()
      .regex(/^(\/[A-Za-z0-9_-]+)+$/, 'write one or more plain segments, such as /sallyport')
      .default('/sallyport')
      .describe('Where Sallyport’s own endpoints are; everything else is the app’s.'),
    trustedProxies: z
      .array(
        z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()], {
          error: 'is not an address or a CIDR such as 10.0.0.0/8',
        }),
      )
      .default([])
      .describe('Peers whose X-Forwarded-* headers are believed.'),
    drainSeconds: z
      .number()
      .min(0)
      .max(3600)
      .default(20)
      .describe('How long a process that got SIGTERM goes on serving, unready.'),
    maxBodyBytes: z.int().min(1).optional().describe('The largest request body; absent: the app decides.'),
  }),
  issuers: z.array(issuer).min(1, 'name at least one issuer').describe('The OIDC issuers whose people may come in.'),
  app: section({
    url: appUrl.describe('The app beside Sallyport, such as http://127.0.0.1:3000 or unix:///run/app.sock.'),
    timeoutSeconds: durationSeconds.default(60).describe('The deadline for the first byte of an answer.'),
    caFile: z.string().min(1).optional(),
  })
    .optional()
    .describe('Absent: Sallyport is a token broker only.'),
  rules: z.array(rule).min(1).optional().describe('The first rule whose paths and methods match decides.'),
  looker,
  grants: z.array(grant).default([]).describe('The first grant that matches is the person’s; none: no Looker token.'),
  cors: section({ origins: z.array(origin).default([]) })
    .prefault({})
    .describe('Origins whose pages may call Sallyport with credentials.'),
  store: section({
    redis: redis.optional(),
    sealKeys: z
      .array(
        section({ id: z.string().regex(/^[\w-]{1,16}$/, 'use at most 16 letters, digits, "_" and "-"'), key: secret }),
      )
      .min(1)
      .optional()
      .describe('32 bytes each, base64. The first seals, all open.'),
  }).prefault({}),
  session: section({
    idleMinutes: z.number().positive().default(60),
    absoluteHours: z.number().positive().default(12),
  })
    .prefault({})
    .describe('Limits of browser sessions.'),
  audit: section({
    file: z.string().min(1).optional().describe('A file for the audit lines, besides standard output.'),
    onFailure: z.enum(['deny', 'allow']).default('deny').describe('What happens to a request that cannot be audited.'),
  }).prefault({}),
  log: section({ level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info') }).prefault({}),
})

export type Config = z.output<typeof schema>
