import { expect, test } from 'vitest'
import { type Begun, begin, comeBack, plainStage, tokenRequests } from '../support/plain-sign-in.ts'

const { issuer, sidecar } = await plainStage()

const HTML = { accept: 'text/html,application/xhtml+xml' }
const refused = (begun: Begun, error_description: string, error = 'access_denied'): Promise<Response> =>
  comeBack(sidecar, begun, { error, error_description }, HTML)

test('51 HTML in error_description is text on the page', async () => {
  const attempts = [
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '</p></main><h1 id=x>',
    `"'><svg onload=x>`,
    '&lt;b&gt;',
  ]
  for (const attempt of attempts) {
    const response = await refused(await begin(sidecar), attempt)
    const page = await response.text()
    expect(response.status).toBe(403)
    expect(page).not.toContain(attempt)
    expect(page).toContain(attempt.replaceAll(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`))
  }
})

test('51 HTML in error itself is text on the page', async () => {
  const page = await (await refused(await begin(sidecar), '', '<script>alert(1)</script>')).text()
  expect(page).not.toContain('<script')
  expect(page).toContain('&#60;script&#62;')
})

test('51 the page runs nothing, loads nothing, and is framed by nobody', async () => {
  const response = await refused(await begin(sidecar), 'no')
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(response.headers.get('content-security-policy')).toMatch(
    /^default-src 'none'; style-src 'sha256-[\w+/]{43}='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
  )
  expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  expect(response.headers.get('cache-control')).toBe('no-store')
})

test('51 what the issuer says is shown in the browser that began the sign-in and in no other', async () => {
  const begun = await begin(sidecar)
  const other = await begin(sidecar)
  const page = await (await refused({ ...begun, cookie: other.cookie }, 'Call +1 555 0100')).text()
  expect(page).not.toContain('555 0100')
})

test('51 a very long description is cut, control characters are not passed on, and none of it is logged', async () => {
  const response = await refused(await begin(sidecar), `canary \u202e\u0007${'x'.repeat(5000)}`)
  const page = await response.text()
  expect(page.length).toBeLessThan(6000)
  expect(page).toContain('canary')
  for (const control of ['\u202e', '\u0007']) expect(page).not.toContain(control)
  expect(sidecar.logText() + sidecar.auditText()).not.toContain('canary')
})

test('a refused sign-in says what the issuer said, names the request, and leads back to where the person wanted to go', async () => {
  const asked = tokenRequests(issuer)
  const begun = await begin(sidecar, '/looks/42?tab=2')
  const response = await refused(begun, 'Your account is locked')
  const page = await response.text()
  expect(page).toContain('Your account is locked (access_denied)')
  expect(page).toContain(response.headers.get('x-request-id') ?? 'no id')
  expect(page).toContain('href="/sallyport/login?return_to=%2Flooks%2F42%3Ftab%3D2"')
  expect(tokenRequests(issuer)).toBe(asked)
})

test('another error of the issuer is 400', async () => {
  const response = await refused(await begin(sidecar), 'Later', 'temporarily_unavailable')
  expect(response.status).toBe(400)
  expect(await response.text()).toContain('Later (temporarily_unavailable)')
})
