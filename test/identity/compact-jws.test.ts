import { expect, test } from 'vitest'
import { looksLikeJws, parseCompactJws } from '../../src/identity/compact-jws.ts'

const part = (text: string): string => Buffer.from(text).toString('base64url')
const header = part('{"alg":"ES256"}')
const payload = part('{"sub":"ana"}')

test('reads the header and the payload of a token in its one canonical form', () => {
  expect(parseCompactJws(`${header}.${payload}.AAAA`)).toEqual({ header: { alg: 'ES256' }, payload: { sub: 'ana' } })
})

test('refuses every other spelling of the same bytes', () => {
  for (const token of [
    `${header}.${payload}.AAAB=`,
    `${header}.${payload}.AAA=`,
    `${header}.${payload}.AB`,
    `${header}.${payload}.A`,
    `${header}.${payload}.AA+/`,
    `${header}.${payload}.AA\n`,
    `${header}\n.${payload}.AAAA`,
    ` ${header}.${payload}.AAAA`,
    `${header}.${payload}.`,
    `${header}.${payload}`,
    `.${payload}.AAAA`,
    `${header}..AAAA`,
  ]) {
    expect(parseCompactJws(token), JSON.stringify(token)).toBeUndefined()
  }
})

test('refuses a payload whose bytes are not UTF-8: what is judged would not be what was signed', () => {
  const bytes = Buffer.from('{"sub":"\xff"}', 'latin1').toString('base64url')
  expect(parseCompactJws(`${header}.${bytes}.AAAA`)).toBeUndefined()
})

test('takes for a JWT whatever a lenient reader could take for one, so that none is sent to introspection', () => {
  for (const token of ['a.b.c', 'eyJhbGciOiJub25lIn0', 'eyJ.e30', '{"payload":""}', '..']) {
    expect(looksLikeJws(token), token).toBe(true)
  }
  for (const token of ['opaque', 'a.b', 'a.b.c.d', 'v1_abc-def']) expect(looksLikeJws(token), token).toBe(false)
})
