import type { IWriteQuery } from '@looker/sdk'
import { createBrowser } from './issuer/browser.ts'
import { choosePerson } from './issuer/sign-in.ts'
import { lookerAs } from './looker-sdk.ts'
import type { DemoParts } from './parts.ts'

const BY_REGION: Partial<IWriteQuery> & { model: string; view: string } = {
  model: 'thelook',
  view: 'orders',
  fields: ['orders.region', 'orders.count', 'orders.total_sale_price'],
  sorts: ['orders.region'],
}

interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
}

/** One step of the walk: what it shows, and the lines it found. Throws where it does not hold. */
interface Step {
  readonly title: string
  run(): Promise<readonly string[]>
}

/** Walks through the main job for real and prints each step. Says whether all held. */
export async function walk(parts: DemoParts, print: (line: string) => void): Promise<boolean> {
  let held = true
  for (const [index, { title, run }] of stepsOf(parts).entries()) {
    print(`\n${index + 1}  ${title}`)
    try {
      for (const line of await run()) print(`   ${line}`)
    } catch (error) {
      held = false
      print(`   ✗ this step did not hold: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return held
}

function stepsOf({ issuer, looker, sallyportUrl, adminUrl, audit }: DemoParts): readonly Step[] {
  let anaSignIn = ''
  let anaToken = ''
  let firstLife = 0

  const exchange = async (subjectToken: string): Promise<Answer> => {
    const response = await fetch(`${sallyportUrl}/sallyport/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: subjectToken,
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      }),
    })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }

  return [
    {
      title: 'Ana, an analyst, signs in at the issuer (OpenID Connect, authorization code with PKCE)',
      async run() {
        const { accessToken } = await issuer.signIn('ana')
        anaSignIn = accessToken
        const { sub, email, groups, region } = payloadOf(accessToken)
        return [
          `✓ the issuer says: subject ${text(sub)}, ${text(email)}, groups ${text(groups)}, region ${text(region)}`,
          '  That token says who she is. It opens nothing at Looker.',
        ]
      },
    },
    {
      title: 'She exchanges it at Sallyport for a Looker token of her own (RFC 8693)',
      async run() {
        const { status, body } = await exchange(anaSignIn)
        expect(status === 200, `the exchange answered ${status}: ${text(body)}`)
        anaToken = text(body['access_token'])
        firstLife = Number(body['expires_in'])
        const provisioned = looker.users.find('demo|ana')
        expect(provisioned !== undefined, 'no Looker user was provisioned')
        return [
          `✓ grant "${text(body['scope'])}", token ${masked(anaToken)}, good for ${firstLife} s`,
          `✓ Looker user ${provisioned?.id} was provisioned for "demo|ana", with that grant’s permissions and region EMEA`,
        ]
      },
    },
    {
      title: 'With it she calls Looker directly, with Looker’s own SDK',
      async run() {
        const sdk = lookerAs(looker.url, anaToken)
        const me = await sdk.ok(sdk.me())
        const rows = await sdk.ok(sdk.run_inline_query({ result_format: 'json', body: BY_REGION }))
        return [
          `✓ me() says ${me.display_name} (user ${me.id})`,
          `✓ run_inline_query() sees her region only: ${text(rows)}`,
        ]
      },
    },
    {
      title: 'Vic, a viewer, does the same: another grant, another region, no ad-hoc queries',
      async run() {
        const { accessToken } = await issuer.signIn('vic')
        const { status, body } = await exchange(accessToken)
        expect(status === 200 && body['scope'] === 'viewer', `the exchange answered ${status}: ${text(body)}`)
        const sdk = lookerAs(looker.url, text(body['access_token']))
        const dashboards = await sdk.ok(sdk.search_dashboards({}))
        const query = await sdk.run_inline_query({ result_format: 'json', body: BY_REGION })
        expect(!query.ok, 'a viewer could run an ad-hoc query')
        return [
          `✓ grant "viewer": sees ${dashboards.length} dashboards (${dashboards.map(({ title }) => title).join(', ')})`,
          '✓ Looker refuses the ad-hoc query: his grant lacks "explore"',
        ]
      },
    },
    {
      title: 'Ana asks again a moment later: the same token, from the cache',
      async run() {
        await new Promise(resolve => setTimeout(resolve, 1100))
        const { body } = await exchange(anaSignIn)
        const life = Number(body['expires_in'])
        expect(body['access_token'] === anaToken, 'it was another token')
        expect(life < firstLife, `expires_in did not fall: ${life}`)
        const logins = looker.calls.count('login_user')
        expect(logins === 2, `Looker saw ${logins} logins for two people`)
        return [
          `✓ ${masked(anaToken)}, ${life} s left, and no further call to Looker (${logins} logins for two people)`,
        ]
      },
    },
    {
      title: 'Her page embeds a dashboard: Sallyport begins the session at Looker, and renews its tokens',
      async run() {
        const embed = async (method: string, path: string, body?: object): Promise<Answer> => {
          const response = await fetch(`${sallyportUrl}/sallyport/looker/embed/${path}`, {
            method,
            headers: { authorization: `Bearer ${anaSignIn}`, 'content-type': 'application/json' },
            ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          })
          return { status: response.status, body: (await response.json()) as Record<string, unknown> }
        }
        const begun = await embed('POST', 'session')
        const { navigation_token, api_token, ...others } = begun.body
        expect(begun.status === 200, `acquire answered ${begun.status}: ${text(begun.body)}`)
        expect(others['session_reference_token'] === undefined, 'the reference token was handed out')
        const renewed = await embed('PUT', 'tokens', { navigation_token, api_token })
        expect(renewed.status === 200, `generate answered ${renewed.status}: ${text(renewed.body)}`)
        return [
          `✓ for the frame: a token to begin with (${text(others['authentication_token_ttl'])} s, once), one to navigate and one for its API (${text(others['api_token_ttl'])} s)`,
          `✓ renewed, in a session of ${text(others['session_reference_token_ttl'])} s, whose reference stays with Sallyport`,
          `  Dashboards in a page: ${sallyportUrl}/portal`,
        ]
      },
    },
    {
      title: 'Nora has no grant',
      async run() {
        const { accessToken } = await issuer.signIn('nora')
        const { status, body } = await exchange(accessToken)
        expect(
          status === 400 && body['problem'] === 'urn:sallyport:problem:no-grant',
          `it answered ${status}: ${text(body)}`,
        )
        return [`✓ refused: ${text(body['error'])} — ${text(body['error_description'])}`]
      },
    },
    {
      title: 'The app behind Sallyport learns who is calling, and nobody else can say it',
      async run() {
        const anonymous = await fetch(`${sallyportUrl}/headers`)
        const response = await fetch(`${sallyportUrl}/headers`, {
          headers: { authorization: `Bearer ${anaSignIn}`, 'x-forwarded-user': 'root' },
        })
        const seen = (await response.json()) as Record<string, unknown>
        expect(anonymous.status === 401, `without a token it answered ${anonymous.status}`)
        expect(seen['x-forwarded-user'] === 'ana' && seen['authorization'] === undefined, `the app saw ${text(seen)}`)
        return [
          '✓ without a token: 401',
          `✓ with hers the app sees x-forwarded-user ${text(seen['x-forwarded-user'])}, groups ${text(seen['x-forwarded-groups'])}; her "x-forwarded-user: root" was dropped`,
        ]
      },
    },
    {
      title: 'Vic opens the app in a browser: he is sent to the issuer, and comes back with a session',
      async run() {
        const browser = createBrowser()
        const atIssuer = await browser.open(`${sallyportUrl}/headers`)
        expect(atIssuer.url.origin === issuer.issuer, `he was sent to ${atIssuer.url.href}`)
        const back = await choosePerson(browser, atIssuer, 'vic')
        expect(back.url.href === `${sallyportUrl}/headers` && back.status === 200, `he came back to ${back.url.href}`)
        const seen = JSON.parse(back.body) as Record<string, unknown>
        expect(seen['x-forwarded-user'] === 'vic', `the app saw ${back.body}`)
        const shown = browser.cookieHeader(sallyportUrl)
        // The issuer’s own cookies come along: it is on the same host, and cookies know no ports.
        expect(shown.includes('sallyport='), 'there is no session cookie')
        expect(!text(seen['cookie'] ?? '').includes('sallyport'), `the app saw ${text(seen['cookie'])}`)
        return [
          `✓ the app sees x-forwarded-user ${text(seen['x-forwarded-user'])}, and no cookie of Sallyport’s`,
          '✓ his browser has one opaque cookie; the issuer’s tokens stay with Sallyport',
        ]
      },
    },
    {
      title: 'What the auditor sees (OCSF, one line an event, chained)',
      async run() {
        // Refusals are written in batches, a few milliseconds after the answer.
        await new Promise(resolve => setTimeout(resolve, 200))
        const line = audit.find(candidate => candidate.includes('"status_detail":"no-grant"'))
        expect(line !== undefined, 'there is no audit line about Nora')
        return [`✓ ${line}`]
      },
    },
    {
      title: 'What Prometheus sees',
      async run() {
        const page = await (await fetch(`${adminUrl}/metrics`)).text()
        const wanted = /^sallyport_(token_exchange_total|token_cache_total|looker_requests_total)\{.*\} [1-9]\d*$/
        const lines = page.split('\n').filter(line => wanted.test(line))
        expect(
          lines.some(line => line.includes('result="hit"')),
          'the cache was never hit',
        )
        return lines.map(line => `✓ ${line}`)
      },
    },
  ]
}

function expect(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise)
}

function payloadOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'))
}

function masked(token: string): string {
  return `${token.slice(0, 4)}…`
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
