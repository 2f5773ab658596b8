import { expect, test } from 'vitest'
import {
  offlineParameters,
  refreshTokenEnd,
  scopesForLooker,
  tokenForLooker,
  type TokenTrouble,
} from '../../src/identity/tokens-for-looker.ts'

const GOOGLE = 'https://accounts.google.com'
const OTHER = 'https://id.example.com'
const AUTH = 'https://www.googleapis.com/auth'
const BASIC = ['openid', 'email', 'profile']

test('Google is asked for offline access and BigQuery in its own words', () => {
  expect(offlineParameters(GOOGLE, BASIC)).toEqual({
    scope: `openid email profile ${AUTH}/bigquery`,
    access_type: 'offline',
    prompt: 'consent',
  })
})

test('Google does not know offline_access, and is not asked for BigQuery twice', () => {
  for (const scope of ['bigquery', 'bigquery.readonly', 'cloud-platform']) {
    const scopes = [...BASIC, 'offline_access', `${AUTH}/${scope}`]
    expect(scopesForLooker(GOOGLE, scopes)).toEqual([...BASIC, `${AUTH}/${scope}`])
  }
})

test('any other issuer is asked for offline_access, once', () => {
  for (const scopes of [BASIC, [...BASIC, 'offline_access']]) {
    expect(offlineParameters(OTHER, scopes)).toEqual({
      scope: 'openid email profile offline_access',
      prompt: 'consent',
    })
  }
})

function judged(asked: readonly string[], answer: Record<string, string>, before?: { good: boolean }) {
  const troubles: TokenTrouble[] = []
  const report = (trouble: TokenTrouble) => void troubles.push(trouble)
  const token = tokenForLooker({ report }, asked, { access_token: 'a', token_type: 'bearer', ...answer }, before)
  return { token: token?.reveal(), troubles }
}

const ASKED = [...BASIC, `${AUTH}/bigquery`]
const GRANTED = `${AUTH}/userinfo.email openid ${AUTH}/bigquery ${AUTH}/userinfo.profile`

test('what Google calls by other names is granted', () => {
  expect(judged(ASKED, { refresh_token: 'r', scope: GRANTED })).toEqual({ token: 'a', troubles: [] })
})

test('a box left unticked is told by its scope', () => {
  const scope = `openid ${AUTH}/userinfo.email`
  const missing: TokenTrouble = { kind: 'scopes-not-granted', scopes: [`${AUTH}/bigquery`] }
  expect(judged(ASKED, { refresh_token: 'r', scope })).toEqual({ token: undefined, troubles: [missing] })
  // It was told at the sign-in; the person could take it back meanwhile.
  expect(judged(ASKED, { scope }, { good: false })).toEqual({ token: undefined, troubles: [] })
  expect(judged(ASKED, { scope }, { good: true })).toEqual({ token: undefined, troubles: [missing] })
})

test('an issuer that does not say granted what was asked for, or what it granted before', () => {
  expect(judged(ASKED, { refresh_token: 'r' })).toEqual({ token: 'a', troubles: [] })
  expect(judged(ASKED, {}, { good: true })).toEqual({ token: 'a', troubles: [] })
  expect(judged(ASKED, {}, { good: false })).toEqual({ token: undefined, troubles: [] })
})

test('without a refresh token the access token is for Looker all the same, with a word about it', () => {
  expect(judged(ASKED, { scope: GRANTED })).toEqual({ token: 'a', troubles: [{ kind: 'no-refresh-token' }] })
})

test('the end of a refresh token is what the issuer says, where it says a time', () => {
  const answer = { access_token: 'a', token_type: 'bearer' } as const
  expect(refreshTokenEnd({ ...answer, refresh_token_expires_in: 60 }, 1000)).toBe(61_000)
  expect(refreshTokenEnd({ ...answer, refresh_expires_in: 60 }, 1000)).toBe(61_000)
  for (const said of [0, -1, '60', null]) {
    expect(refreshTokenEnd({ ...answer, refresh_expires_in: said }, 1000)).toBeUndefined()
  }
})
