import { type DestinationStream, type Logger, pino } from 'pino'

export type Log = Logger

/** JSON lines on standard output, in the same writer as the audit lines so that neither cuts into the other. */
export function createLog(level: string, destination: DestinationStream = process.stdout): Log {
  return pino(
    {
      level,
      base: { stream: 'log' },
      timestamp: () => `,"time":${Date.now()}`,
      formatters: { level: label => ({ level: label }) },
      serializers: { err: describeError },
    },
    destination,
  )
}

/** What an error says of itself and of its causes. Never its properties: some libraries put whole requests there. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as NodeJS.ErrnoException
  return {
    type: error.name,
    message: error.message,
    ...(typeof code === 'string' ? { code } : {}),
    ...(error.cause === undefined ? {} : { cause: describeError(error.cause) }),
    ...(error.stack === undefined || error.name === 'Refusal' ? {} : { stack: error.stack }),
  }
}
