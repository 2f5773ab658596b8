import { stringify } from 'yaml'
import { CREDENTIALS } from './issuer/clients.ts'

/** Where each part of the demo listens. */
export interface Ports {
  readonly proxy: number
  readonly admin: number
  readonly issuer: number
  readonly looker: number
  readonly app: number
}

export function onLoopback(port: number): string {
  return `http://127.0.0.1:${port}`
}

/** The sidecar's configuration as one would write it. */
export function writeConfiguration(ports: Ports): string {
  return stringify({
    server: {
      publicUrl: onLoopback(ports.proxy),
      listen: `127.0.0.1:${ports.proxy}`,
      admin: `127.0.0.1:${ports.admin}`,
    },
    issuers: [
      {
        name: 'demo',
        issuer: onLoopback(ports.issuer),
        audiences: ['sallyport'],
        login: {
          clientId: CREDENTIALS.web.clientId,
          clientSecret: { fromEnv: 'OIDC_CLIENT_SECRET' },
          scopes: ['openid', 'email', 'profile'],
        },
      },
    ],
    app: { url: onLoopback(ports.app) },
    rules: [{ paths: ['/', '/assets/**', '/public/**'], access: 'public' }, { paths: ['/**'] }],
    looker: {
      url: onLoopback(ports.looker),
      // The Embed SDK opens Looker's pages by https and no other way.
      webUrl: onLoopback(ports.looker).replace('http:', 'https:'),
      clientId: 'demo-client',
      clientSecret: { fromEnv: 'LOOKER_CLIENT_SECRET' },
    },
    grants: [
      {
        name: 'explorer',
        groups: ['analytics'],
        permissions: ['access_data', 'see_looks', 'see_user_dashboards', 'explore'],
        models: ['thelook'],
        userAttributes: { region: '{claim:region}' },
      },
      {
        name: 'viewer',
        groups: ['viewers'],
        permissions: ['access_data', 'see_looks', 'see_user_dashboards'],
        models: ['thelook'],
        userAttributes: { region: '{claim:region}' },
      },
    ],
  })
}
