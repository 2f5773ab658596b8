import { createPrivateKey, randomUUID, sign } from 'node:crypto'
import type { JWK } from 'jose'
import { expect, vi } from 'vitest'
import type { TokenRejection } from '../../src/core/failure.ts'
import type { Sidecar, World } from './world.ts'

/** What became of a request: the answer, why according to the audit log, and whether the app heard of it. */
interface Outcome {
  readonly status: number
  readonly challenge: string | null
  /** The URN of the problem, or null where the answer is none. */
  readonly problem: string | null
  readonly reason: string
  readonly forwarded: boolean
}

/** Sends a request with a request id of its own and finds its traces. */
export async function send(
  world: World,
  sidecar: Sidecar,
  headers: Record<string, string>,
  path = '/headers',
  init: RequestInit = {},
): Promise<Outcome> {
  const requestId = randomUUID()
  const response = await sidecar.fetch(path, { ...init, headers: { ...headers, 'x-request-id': requestId } })
  const body = await response.text()
  const isProblem = response.headers.get('content-type')?.startsWith('application/problem+json') === true
  return {
    status: response.status,
    challenge: response.headers.get('www-authenticate'),
    problem: isProblem ? (JSON.parse(body) as { type: string }).type : null,
    reason: await reasonOf(sidecar, requestId),
    forwarded: world.app.requests.some(seen => seen.headers['x-request-id'] === requestId),
  }
}

/** Presents a bearer token at a path of the app. */
export function present(world: World, sidecar: Sidecar, token: string): Promise<Outcome> {
  return send(world, sidecar, { authorization: `Bearer ${token}` })
}

async function reasonOf(sidecar: Sidecar, requestId: string): Promise<string> {
  const line = await vi.waitFor(
    () => {
      const text = sidecar
        .auditText()
        .split('\n')
        .find(line => line.includes(requestId))
      if (text === undefined) throw new Error(`no audit line for ${requestId}`)
      return JSON.parse(text) as Record<string, unknown>
    },
    { interval: 5, timeout: 5000 },
  )
  return String(line['status_detail'])
}

export const ACCEPTED = { status: 200, problem: null, forwarded: true }

export function rejected(reason: TokenRejection): Record<keyof Outcome, unknown> {
  return {
    status: 401,
    challenge: expect.stringMatching(/^Bearer error="invalid_token", error_description="[^"]+"$/),
    problem: 'urn:sallyport:problem:invalid-token',
    reason,
    forwarded: false,
  }
}

export const ISSUER_UNAVAILABLE = { status: 503, reason: 'issuer-unavailable', forwarded: false }

/** The parts of a compact token as text, to be changed at will. */
export function textOf(token: string): { header: string; payload: string; signature: string } {
  const [header = '', payload = '', signature = ''] = token.split('.')
  const decode = (part: string): string => Buffer.from(part, 'base64url').toString('utf8')
  return { header: decode(header), payload: decode(payload), signature }
}

/** Signs with RS256 exactly the text that is given, which need not be JSON that any library would write. */
export function signText(header: string | Uint8Array, payload: string | Uint8Array, key: JWK): string {
  const encode = (part: string | Uint8Array): string => Buffer.from(part as string).toString('base64url')
  const input = `${encode(header)}.${encode(payload)}`
  const privateKey = createPrivateKey({ key: { ...key }, format: 'jwk' })
  return `${input}.${sign('sha256', Buffer.from(input), privateKey).toString('base64url')}`
}

/** The probe's status on the admin listener. */
export async function probe(sidecar: Sidecar, path: '/livez' | '/readyz'): Promise<number> {
  const response = await fetch(`${sidecar.adminUrl}${path}`)
  await response.body?.cancel()
  return response.status
}
