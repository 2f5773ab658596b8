import { Refusal } from '../core/failure.ts'
import { LookerAnswer } from './transport.ts'

/** For calls with tokens in them: the words of Looker, and of whatever fails on the way, could quote those. They go no further. */
export function withoutWords(operation: string, error: unknown): Error {
  const cause = wordless(error instanceof Refusal ? error.cause : error)
  if (error instanceof Refusal) return new Refusal(error.failure, { cause })
  if (!(error instanceof LookerAnswer)) return cause ?? new Error('unknown')
  const { status } = error
  return new Refusal({ kind: 'looker-refused', operation, status, message: 'not repeated here' }, { cause })
}

/** The status, or the name of the trouble, is all that the log is told. */
function wordless(error: unknown): Error | undefined {
  if (!(error instanceof Error)) return undefined
  if (error instanceof LookerAnswer) return new Error(`Looker answered ${error.status}`)
  const { code } = error as NodeJS.ErrnoException
  return new Error(typeof code === 'string' ? code : error.name)
}
