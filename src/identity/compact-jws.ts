import { parseStrictObject } from './strict-json.ts'

/** Longer tokens are refused before any cryptography. */
export const MAX_TOKEN_BYTES = 8192

const COMPACT = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/

export interface UnverifiedJws {
  readonly header: Readonly<Record<string, unknown>>
  readonly payload: Readonly<Record<string, unknown>>
}

/** Whether the text is to be judged as a JWT rather than as an opaque token: two dots and a header that starts as JSON does. */
export function looksLikeJws(token: string): boolean {
  return token.startsWith('eyJ') || token.split('.').length === 3 || token.startsWith('{')
}

/**
 * Reads a compact JWS (RFC 7515 §3.1) in its one canonical form. What a lenient reader would forgive (white space,
 * padding, spare bits, repeated members) is not a token.
 */
export function parseCompactJws(token: string): UnverifiedJws | undefined {
  const parts = COMPACT.exec(token)
  if (parts === null) return undefined
  const header = parsePart(parts[1])
  const payload = parsePart(parts[2])
  if (header === undefined || payload === undefined || decodeCanonical(parts[3]) === undefined) return undefined
  return { header, payload }
}

function parsePart(part: string | undefined): Record<string, unknown> | undefined {
  const bytes = decodeCanonical(part)
  if (bytes === undefined) return undefined
  const text = bytes.toString('utf8')
  // Bytes that are not UTF-8 would be replaced, and what is judged would not be what was signed.
  return Buffer.from(text, 'utf8').equals(bytes) ? parseStrictObject(text) : undefined
}

function decodeCanonical(part: string | undefined): Buffer | undefined {
  if (part === undefined) return undefined
  const bytes = Buffer.from(part, 'base64url')
  return bytes.toString('base64url') === part ? bytes : undefined
}
