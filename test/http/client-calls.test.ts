import { Looker40SDK } from '@looker/sdk'
import { DelimArray } from '@looker/sdk-rtl'
import { describe, expect, test } from 'vitest'
import { SallyportError } from '../../src/browser/client.ts'
import { refusalOf, setPage, timesOf } from './page.ts'

const TOKEN = '/sallyport/looker/token'

const page = setPage()

describe('fetch', () => {
  const query = { model: 'thelook', view: 'orders', fields: ['orders.count'] }
  const run = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(query) }

  test('calls Looker as the person, without cookies', async () => {
    const looker = page.connect()
    const answer = await looker.fetch('/api/4.0/user', {
      headers: { authorization: 'Bearer mine' },
      credentials: 'include',
    })
    expect(await answer.json()).toMatchObject({ id: page.lookerIdOf('ana') })
    expect(page.world.looker.calls.list.at(-1)?.headers).not.toContain('cookie')
  })

  test.for([
    '@evil.example/',
    '.evil.example/',
    ':1/',
    'https://evil.example/api/4.0/user',
    'HTTPS://evil.example/',
    'api',
  ])('gives the token to nobody but Looker: %s', async path => {
    const looker = page.connect()
    await expect(looker.fetch(path)).rejects.toThrow(TypeError)
    expect(page.sent).toEqual([`POST ${TOKEN}`])
  })

  test.for(['//evil.example/api', '/../..//evil.example', '/\\evil.example'])('nor with %s', async path => {
    expect(new URL((await page.connect().fetch(path)).url).origin).toBe(page.world.looker.url)
  })

  test('replaces a token that Looker has dropped, once for all calls, and repeats them', async () => {
    const looker = page.connect()
    const { access_token: dropped } = await looker.getToken()
    page.world.looker.revokeTokens(page.lookerIdOf('ana'))
    const before = page.logins()
    const answers = await Promise.all(Array.from({ length: 10 }, () => looker.fetch('/api/4.0/queries/run/json', run)))
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200))
    expect(await answers[9]?.json()).toEqual([{ 'orders.count': expect.any(Number) }])
    expect((await looker.getToken()).access_token).not.toBe(dropped)
    expect(page.logins() - before).toBe(1)
  })

  test('in two tabs does not drop the token that the other has just got', async () => {
    const tabs = [page.connect(), page.connect()]
    await Promise.all(tabs.map(tab => tab.getToken()))
    page.world.looker.revokeTokens(page.lookerIdOf('ana'))
    const before = page.logins()
    const done = Promise.withResolvers<void>()
    let drops = 0
    // What a second tab wants dropped is on its way until the first one has finished.
    page.beforeSending(line => (line.startsWith('DELETE') && ++drops > 1 ? done.promise : undefined))
    const statuses = tabs.map(async tab => {
      const { status } = await tab.fetch('/api/4.0/user')
      done.resolve()
      return status
    })
    expect(await Promise.all(statuses)).toEqual([200, 200])
    expect([drops, page.logins() - before]).toEqual([1, 1])
  })

  test('does not repeat what was sent as a stream, and the next call has a new token', async () => {
    const looker = page.connect()
    await looker.getToken()
    page.world.looker.revokeTokens(page.lookerIdOf('ana'))
    const body = new Blob([run.body]).stream()
    const streamed: RequestInit & { duplex: 'half' } = { ...run, body, duplex: 'half' }
    expect((await looker.fetch('/api/4.0/queries/run/json', streamed)).status).toBe(401)
    page.sent.length = 0
    expect((await looker.fetch('/api/4.0/user')).status).toBe(200)
    expect(page.sent).toEqual(['GET /api/4.0/user'])
  })

  test('a Looker that refuses new tokens too is believed, and costs no login a call', async () => {
    const looker = page.connect()
    await looker.getToken()
    const before = page.logins()
    page.world.looker.faults.inject({ kind: 'unauthorized', operation: 'me', times: Number.POSITIVE_INFINITY })
    for (let call = 0; call < 5; call++) expect((await looker.fetch('/api/4.0/user')).status).toBe(401)
    expect(page.logins() - before).toBe(1)
    page.turn(11)
    await looker.fetch('/api/4.0/user')
    expect(page.logins() - before).toBe(2)
  })

  test('after a sign-out says that the person has to sign in', async () => {
    const looker = page.connect()
    const times = timesOf(looker, 'signInNeeded')
    await looker.getToken()
    page.world.looker.revokeTokens(page.lookerIdOf('ana'))
    page.become(undefined)
    expect(await refusalOf(looker.fetch('/api/4.0/user'))).toMatchObject({ status: 401 })
    expect(times()).toBe(1)
  })
})

describe('session, under Looker40SDK', () => {
  const fields = ['orders.region', 'orders.count']

  test('queries as the person', async () => {
    const sdk = new Looker40SDK(page.connect().session())
    expect(await sdk.ok(sdk.me('id'))).toEqual({ id: page.lookerIdOf('ana') })
    const body = { model: 'thelook', view: 'orders', fields }
    const rows: unknown = await sdk.ok(sdk.run_inline_query({ result_format: 'json', body, limit: 2 }))
    expect(rows).toHaveLength(2)
    expect(await sdk.ok(sdk.run_inline_query({ result_format: 'csv', body }))).toMatch(/^Orders Region|Region/)
    expect(page.sent.filter(line => line === `POST ${TOKEN}`)).toHaveLength(1)
  })

  test('writes the query as the SDK does, whatever is in it', async () => {
    const sdk = new Looker40SDK(page.connect().session())
    const when = new Date(0)
    const query = {
      a: 'x y&limit=1',
      encoded: 'a%20b',
      when,
      list: new DelimArray(['1', '2']),
      other: { b: 1 },
      none: undefined,
    }
    await sdk.ok(sdk.get('/user', query))
    const written = new URLSearchParams(page.world.looker.calls.list.at(-1)?.query)
    expect(Object.fromEntries(written)).toEqual({
      a: 'x y&limit=1',
      encoded: 'a%20b',
      when: when.toISOString(),
      list: '1,2',
      other: '{"b":1}',
    })
  })

  test('gives Looker’s refusals as the SDK’s own errors', async () => {
    const sdk = new Looker40SDK(page.connect().session())
    const answer = await sdk.dashboard('no-such')
    expect(answer).toEqual({ ok: false, error: expect.objectContaining({ message: 'Not found' }) })
    await expect(sdk.ok(sdk.dashboard('no-such'))).rejects.toMatchObject({
      name: 'LookerSDKError',
      message: 'Not found',
    })
  })

  test('and Sallyport’s as what they are', async () => {
    page.become('nora')
    const sdk = new Looker40SDK(page.connect().session())
    const answer = await sdk.me()
    expect(answer.ok ? undefined : answer.error).toBeInstanceOf(SallyportError)
    await expect(sdk.ok(sdk.me())).rejects.toThrow('No grant gives this person access to Looker')
  })

  test('can be cancelled, and gives up in time', async () => {
    page.world.looker.faults.inject({ kind: 'hang', operation: 'me', times: 2 })
    const sdk = new Looker40SDK(page.connect().session())
    await expect(sdk.me(undefined, { timeout: 0.2 })).rejects.toMatchObject({ name: 'TimeoutError' })
    const cancel = new AbortController()
    const call = sdk.me(undefined, { signal: cancel.signal })
    setImmediate(() => cancel.abort())
    await expect(call).rejects.toMatchObject({ name: 'AbortError' })
  })

  test('streams, and lets answers be watched', async () => {
    const session = page.connect().session()
    const sdk = new Looker40SDK(session)
    session.transport.observer = raw => ({ ...raw, body: raw.body.replace('Ana', 'Somebody') })
    expect(await sdk.ok(sdk.get('/user'))).toMatchObject({ id: page.lookerIdOf('ana') })
    const status = await sdk.authStream(async response => [response.status, await response.json()], 'GET', '/user')
    expect(status).toEqual([200, expect.objectContaining({ id: page.lookerIdOf('ana') })])
  })

  test('knows whether it has a token, and can give it back', async () => {
    const session = page.connect().session()
    expect([session.isAuthenticated(), session.isSudo()]).toEqual([false, false])
    const token = (await session.getToken()) as { access_token: string }
    expect(session.isAuthenticated()).toBe(true)
    const props = await session.authenticate({ url: 'looker:/api/4.0/user', method: 'GET', headers: { a: 'b' } })
    expect(props).toMatchObject({
      url: `${page.world.looker.url}/api/4.0/user`,
      headers: { a: 'b', Authorization: `Bearer ${token.access_token}` },
      credentials: 'omit',
    })
    expect(await session.logout()).toBe(true)
    expect(session.isAuthenticated()).toBe(false)
    expect(page.world.looker.tokenCount(page.lookerIdOf('ana'))).toBe(0)
  })
})
