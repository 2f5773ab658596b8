import { FLAGS } from './flags.ts'
import { issuersOf } from './issuers.ts'
import { FILL_IN, type Notes } from './notes.ts'
import { rulesOf } from './rules.ts'
import type { Settings } from './settings.ts'
import { sessionOf, storeOf } from './store.ts'
import { appOf } from './upstreams.ts'

export interface Translation {
  /** As it would be written in the file. */
  readonly config: object
  readonly notes: Notes
  /** Flags that were given and need nothing here. */
  readonly moot: readonly string[]
}

/** The configuration that stands for an oauth2-proxy's. */
export function translate(settings: Settings, readFile: (path: string) => string | undefined): Translation {
  const notes: Notes = { toDo: [], lost: [] }
  const server = serverOf(settings, notes)
  const issuers = issuersOf(settings, notes)
  const app = appOf(settings, notes)
  const rules = rulesOf(settings, app.paths, readFile, notes)
  const store = storeOf(settings, notes)
  const session = sessionOf(settings, notes)
  const config = {
    server,
    issuers,
    ...(app.section === undefined ? {} : { app: app.section }),
    rules,
    looker: {
      url: `https://${FILL_IN}.cloud.looker.com`,
      clientId: { fromEnv: 'LOOKERSDK_CLIENT_ID' },
      clientSecret: { fromEnv: 'LOOKERSDK_CLIENT_SECRET' },
    },
    ...(store === undefined ? {} : { store }),
    ...(session === undefined ? {} : { session }),
  }
  notes.toDo.push(
    'looker, grants: oauth2-proxy knows no Looker; fill in looker, and say under grants who gets what there',
    'probes and metrics: /livez, /readyz and /metrics are on server.admin, not on the port that the ingress reaches',
    `links in the app: ${server.prefix}/start and /sign_in are /login?return_to=/path, /sign_out is a POST to /logout, /userinfo is /session, /auth is /check`,
  )
  notes.lost.push(
    ...lostFlags(settings),
    ...settings.unknown.map(flag => `${flag}: is nothing of oauth2-proxy’s that this knows`),
  )
  return { config, notes, moot: settings.given.filter(flag => FLAGS[flag]?.fate === 'moot') }
}

function lostFlags(settings: Settings): string[] {
  return settings.given.flatMap(flag => {
    const fate = FLAGS[flag]?.fate
    if (typeof fate !== 'object') return []
    const given = settings.list(flag)
    return given.every(value => fate.unless.includes(value)) ? [] : [`${flag}: ${fate.instead}`]
  })
}

function serverOf(settings: Settings, notes: Notes): { readonly prefix: string } {
  const redirect = URL.parse(settings.text('redirect-url') ?? '')
  // The callback that the issuer knows stays good where the prefix stays.
  const prefix = settings.text('proxy-prefix') ?? '/oauth2'
  const publicUrl = redirect?.host ? redirect.origin : `https://${FILL_IN}.example.com`
  if (!redirect?.host)
    notes.toDo.push('server.publicUrl: redirect-url did not say it; write the origin that people see')
  if (!redirect?.host || redirect.pathname !== `${prefix}/callback`) {
    notes.toDo.push(`register ${publicUrl}${prefix}/callback as the redirect URL at the issuer`)
  }
  const admin = settings.text('metrics-address')
  const proxies = settings.list('trusted-proxy-ip')
  if (settings.isOn('reverse-proxy') && proxies.length === 0) {
    notes.toDo.push('server.trustedProxies: name the ingress; nobody’s X-Forwarded-* is believed otherwise')
  }
  return {
    publicUrl,
    listen: listenOf(settings.text('http-address') ?? '127.0.0.1:4180', notes),
    ...(admin === undefined ? {} : { admin: listenOf(admin, notes) }),
    prefix,
    ...(proxies.length === 0 ? {} : { trustedProxies: proxies }),
  } as { readonly prefix: string }
}

/** `[http://]host:port`, where no host is every address. */
function listenOf(address: string, notes: Notes): string {
  const [, host, port] = /^(?:http:\/\/)?(\[[0-9a-f:]+\]|[^:/\s]*):(\d+)$/i.exec(address) ?? []
  if (port === undefined) {
    notes.lost.push('http-address: Sallyport listens on host:port')
    return '0.0.0.0:8080'
  }
  return `${host === '' ? '0.0.0.0' : host}:${port}`
}
