import { setTimeout as sleep } from 'node:timers/promises'
import { createSallyport, type Sallyport } from '../app.ts'
import { unbuilt } from '../config/consistency.ts'
import { ConfigError } from '../config/config-error.ts'
import { loadConfig } from '../config/load.ts'
import { createLog, type Log } from '../telemetry/log.ts'
import { tendHeap } from './heap.ts'

/** What is still under way after the drain is given this long, and then cut: less than the chart's grace has on top of it. */
const LAST_REQUESTS_MILLISECONDS = 3_000

/** Connections that wait to be accepted: everybody comes at once when an app's page is opened at nine. */
const BACKLOG = 4096

/** Runs until a signal. Returns the exit code. */
export async function serve(file: string, version: string): Promise<number> {
  const { config, secrets, warnings } = loadConfig(file, process.env)
  const refused = unbuilt(config)
  if (refused.length > 0) throw new ConfigError(refused)
  tendHeap()
  // Whoever read our output is gone. That ends the log and, where there is no file, the audit log; not the process.
  process.stdout.once('error', error => process.stderr.write(`standard output is closed (${error.message})\n`))
  process.stdout.on('error', () => {})
  const log = createLog(config.log.level)
  for (const warning of warnings) {
    if (log.isLevelEnabled('warn')) log.warn(warning)
    else process.stderr.write(`warning: ${warning}\n`)
  }

  const { stopped, interrupted } = signals()
  const sallyport = await createSallyport({ config, secrets, version, log })
  // The probes last: whoever is told "ready" is sent here at once.
  await listen(sallyport.proxy, config.server.listen, 'server.listen')
  await listen(sallyport.admin, config.server.admin, 'server.admin')
  log.info(
    { version, listen: config.server.listen, admin: config.server.admin, publicUrl: config.server.publicUrl },
    'listening',
  )
  void sallyport.ready.then(() => log.info({ seconds: Math.round(process.uptime() * 1000) / 1000 }, 'ready'))

  const signal = await stopped
  log.info({ signal }, 'stopping')
  sallyport.stop()
  // Load balancers hear late that it is not ready, and send on: also to one that has heard nothing for a while.
  await Promise.race([sleep(config.server.drainSeconds * 1000, undefined, { ref: false }), interrupted])
  await finish(sallyport, log)
  log.info('stopped')
  return 0
}

async function finish(sallyport: Sallyport, log: Log): Promise<void> {
  const closed = sallyport.close()
  const late = setTimeout(() => {
    log.warn({ underWay: sallyport.underWay() }, 'requests that did not end in time are cut')
    sallyport.proxy.server.closeAllConnections()
  }, LAST_REQUESTS_MILLISECONDS)
  await closed
  clearTimeout(late)
}

/**
 * The first signal; and SIGINT, after which nobody waits: there is a person at a terminal. Neither ends the process by itself,
 * however often it comes: a group of processes gets some of them twice.
 */
function signals(): { stopped: Promise<NodeJS.Signals>; interrupted: Promise<NodeJS.Signals> } {
  const come = (signal: NodeJS.Signals): Promise<NodeJS.Signals> =>
    new Promise(resolve => process.on(signal, () => resolve(signal)))
  const interrupted = come('SIGINT')
  return { stopped: Promise.race([come('SIGTERM'), interrupted]), interrupted }
}

async function listen(server: Sallyport['proxy'], address: string, key: string): Promise<void> {
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '')
  try {
    await server.listen({ host, port: Number(address.slice(colon + 1)), backlog: BACKLOG })
  } catch (error) {
    throw new Error(`${key}: cannot listen on ${address} (${(error as NodeJS.ErrnoException).code ?? String(error)})`, {
      cause: error,
    })
  }
}
