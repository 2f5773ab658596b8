import { expect, test } from 'vitest'
import { answerTokens, begin, comeBack, plainStage } from '../support/plain-sign-in.ts'

const { issuer, sidecar } = await plainStage()

/** Where a sign-in that wished for this ends. */
async function endOf(returnTo: string): Promise<string | null> {
  const begun = await begin(sidecar, returnTo)
  answerTokens(issuer, begun.nonce)
  const response = await comeBack(sidecar, begun)
  expect(response.status).toBe(302)
  return response.headers.get('location')
}

const ELSEWHERE = [
  'https://evil.example',
  'https:evil.example',
  'https:/evil.example',
  'HTTPS://evil.example/',
  'javascript:alert(1)',
  'data:text/html,x',
  'evil.example',
  '@evil.example',
  '.evil.example',
  ':80@evil.example',
  '//evil.example',
  '///evil.example',
  '////evil.example',
  '/\\evil.example',
  '\\/evil.example',
  '\\\\evil.example',
  '/\\/evil.example',
  '/a\\..\\evil',
  '/\tevil.example',
  '/\t/evil.example',
  '\t//evil.example',
  ' //evil.example',
  '/ /evil.example',
  '/\n/evil.example',
  '/\r\nSet-Cookie: sallyport=x',
  '/a\r\n\r\n<script>',
  '/\0/evil.example',
  '/..//evil.example',
  '/.//evil.example',
  '/a/..//evil.example',
  '/a//evil.example',
  '/%2e%2e//evil.example',
  '/%2F/evil.example',
  '/%2fevil.example',
  '/%5Cevil.example',
  '/%5c%5cevil.example',
  '/%09/evil.example',
  '/%0d%0aSet-Cookie:x',
  '/%252fevil.example',
  '/%00',
  '/%zz',
  '/a?b\\c',
  '/a#b\\c',
  '/a#b#c',
  '?next=//evil.example',
  '#//evil.example',
  `/${'a'.repeat(3000)}`,
  '',
]

test.for(ELSEWHERE)('48 return_to %j ends at the start page', async returnTo => {
  expect(await endOf(returnTo)).toBe('/')
})

test.for(['/login', '/callback?code=x', '/logout', '/backchannel-logout', '/signed-out'])(
  '48 return_to our own %s ends at the start page: nobody is sent in a circle',
  async endpoint => {
    expect(await endOf(`/sallyport${endpoint}`)).toBe('/')
  },
)

test('48 two return_to end at the start page', async () => {
  const response = await sidecar.fetch('/sallyport/login?return_to=/a&return_to=//evil.example')
  const { searchParams } = new URL(response.headers.get('location') ?? '')
  const cookie = response.headers.get('set-cookie')?.split(';')[0] ?? ''
  answerTokens(issuer, searchParams.get('nonce') ?? '')
  const end = await comeBack(sidecar, { cookie, state: searchParams.get('state') ?? '' })
  expect(end.headers.get('location')).toBe('/')
})

test.for([
  ['/', '/'],
  ['/looks/42', '/looks/42'],
  ['/looks/42?tab=a%20b&next=//x', '/looks/42?tab=a%20b&next=//x'],
  ['/looks/42#row-7', '/looks/42#row-7'],
  ['/größe?q=ü', '/gr%C3%B6%C3%9Fe?q=%C3%BC'],
  ['/sallyport/session', '/sallyport/session'],
  ['/a@b:c', '/a@b:c'],
] as const)('a path of this origin, %s, is where it ends', async ([wish, end]) => {
  expect(await endOf(wish)).toBe(end)
})
