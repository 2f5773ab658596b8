import { randomUUID } from 'node:crypto'
import type { DemoIssuer } from '../../demo/issuer/issuer.ts'
import type { Sidecar } from './world.ts'

export const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout'

/** A logout token that is good but for what is given. */
export function logoutToken(
  issuer: DemoIssuer,
  claims: Record<string, unknown> = {},
  options: Parameters<DemoIssuer['sign']>[1] = {},
): Promise<string> {
  const good = { aud: 'web', jti: randomUUID(), events: { [LOGOUT_EVENT]: {} } }
  return issuer.sign({ ...good, ...claims }, { ...options, header: { typ: 'logout+jwt', ...options.header } })
}

/** Hands a logout token to a sidecar, as the issuer does. */
export function sendLogout(sidecar: Sidecar, logout_token: string): Promise<Response> {
  return sidecar.fetch('/sallyport/backchannel-logout', {
    method: 'POST',
    body: new URLSearchParams({ logout_token }),
  })
}
