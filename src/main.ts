#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { parseArgs } from 'node:util'
import { ConfigError } from './config/config-error.ts'

// Before anything large is loaded: what was compiled at the last start is not compiled again.
enableCompileCache()

const HELP = `sallyport — identity-aware proxy for Looker

  sallyport serve --config FILE             run the sidecar
  sallyport check --config FILE             validate, and print the effective configuration
  sallyport grants explain --config FILE --claims FILE [--issuer NAME]
                                            say which grant a person with these claims (JSON) gets, and why
  sallyport rules explain --config FILE METHOD /PATH [--claims FILE] [--issuer NAME]
                                            say which rule decides this request, how, and why no earlier one did
  sallyport audit verify AUDIT_FILE --config FILE
                                            check the chain of an audit log; exit 1 names the lines that do not hold
  sallyport migrate oauth2-proxy [FILE] [--its-flags…]
                                            print the configuration that stands for an oauth2-proxy's, and what has none
  sallyport version                         say which version this is
  sallyport help                            say this

  --config may be left out where SALLYPORT_CONFIG names the file.

Exit codes: 0 done, or stopped by a signal; 2 the configuration was refused; 1 anything else.
`

/** Exit codes of the contract. */
const OK = 0
const FAILED = 1
const REFUSED = 2

const version: string = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version

async function run(args: string[]): Promise<number> {
  if (args[0] === 'migrate' && args[1] === 'oauth2-proxy' && !['-h', '--help'].includes(args[2] ?? '')) {
    // Its flags are another program's: they are not for this one to read.
    const { migrateOauth2Proxy } = await import('./commands/migrate-oauth2-proxy.ts')
    return migrateOauth2Proxy(args.slice(2))
  }
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      config: { type: 'string' },
      claims: { type: 'string' },
      issuer: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean' },
    },
  })
  const command = positionals.join(' ')
  if (values.version === true || command === 'version') {
    process.stdout.write(`sallyport ${version}\n`)
    return OK
  }
  if (values.help === true || command === 'help') {
    process.stdout.write(HELP)
    return OK
  }
  const config = values.config ?? process.env['SALLYPORT_CONFIG']
  if (config === undefined && /^(serve|check|grants explain|rules explain\b.*|audit verify\b.*)$/.test(command)) {
    throw new ConfigError(['configuration: none named; say --config FILE, or set SALLYPORT_CONFIG'])
  }
  // Each command loads what it needs and no more: `check` does not wait for a web server to be read from disk.
  if (command === 'serve' && config !== undefined) {
    const { serve } = await import('./commands/serve.ts')
    return await serve(config, version)
  }
  if (command === 'check' && config !== undefined) {
    const { check } = await import('./commands/check.ts')
    return check(config)
  }
  if (command === 'grants explain' && config !== undefined) {
    if (values.claims === undefined) throw new Error('grants explain: no claims named; say --claims FILE')
    const { explainGrants } = await import('./commands/explain-grants.ts')
    return explainGrants(config, values.claims, values.issuer)
  }
  if (positionals[0] === 'rules' && positionals[1] === 'explain' && config !== undefined) {
    const [, , method, target, ...more] = positionals
    if (method === undefined || target === undefined || more.length > 0)
      throw new Error('rules explain: say one method and one path, like GET /admin')
    const { explainRulesOf } = await import('./commands/explain-rules.ts')
    return explainRulesOf(config, { method, target, claimsFile: values.claims, issuerName: values.issuer })
  }
  if (positionals[0] === 'audit' && positionals[1] === 'verify' && positionals.length === 3 && config !== undefined) {
    const { verifyAudit } = await import('./commands/verify-audit.ts')
    return await verifyAudit(positionals[2] ?? '', config)
  }
  process.stderr.write(command === '' ? HELP : `sallyport: "${command}" is not a command\n\n${HELP}`)
  return FAILED
}

async function runToTheEnd(): Promise<number> {
  try {
    return await run(process.argv.slice(2))
  } catch (error) {
    const refused = error instanceof ConfigError
    const lines = refused ? error.problems : [`sallyport: ${error instanceof Error ? error.message : String(error)}`]
    process.stderr.write(`${lines.join('\n')}\n`)
    return refused ? REFUSED : FAILED
  }
}

process.exitCode = await runToTheEnd()
// A start that failed half-way leaves a listener and timers behind, which would keep the process from ending.
if (process.exitCode !== OK) process.stdout.write('', () => process.exit())
