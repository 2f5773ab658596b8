import { expect, test } from 'vitest'
import { answerTokens, begin, comeBack, plainStage, sessionIn } from '../support/plain-sign-in.ts'
import { expectProblem } from '../support/problem.ts'
import { whoIs } from '../support/sign-in.ts'

/** As many sign-ins as are kept in memory. */
const KEPT = 10_000

const { issuer, sidecar } = await plainStage()

test('a flood of sign-ins that nobody finishes costs only sign-ins, the oldest first', async () => {
  const early = await begin(sidecar)
  answerTokens(issuer, early.nonce)
  const session = sessionIn(await comeBack(sidecar, early))
  const overtaken = await begin(sidecar)
  const kept = await begin(sidecar)
  for (let begun = 1; begun < KEPT; begun++) {
    // Without a connection each: what they leave behind is the same.
    const { statusCode } = await sidecar.sallyport.proxy.inject('/sallyport/login')
    if (statusCode !== 302) throw new Error(`the flood is answered ${statusCode}`)
  }
  await expectProblem(await comeBack(sidecar, overtaken), 400, 'sign-in-failed')
  answerTokens(issuer, kept.nonce)
  expect(sessionIn(await comeBack(sidecar, kept))).toBeDefined()
  expect(await whoIs(sidecar, session)).toBe('ana')
}, 60_000)
