import { expect, test } from 'vitest'
import { answerTokens, begin, comeBack, plainStage, sessionIn, tokenRequests } from '../support/plain-sign-in.ts'
import { expectProblem } from '../support/problem.ts'
import { createTurnedClock } from '../support/turned-clock.ts'

const clock = createTurnedClock()
const { issuer, sidecar } = await plainStage({ clock })

/** 400, no session, and the issuer has not been asked. */
async function expectNothing(response: Response, asked: number): Promise<void> {
  expect(sessionIn(response)).toBeUndefined()
  await expectProblem(response, 400, 'sign-in-failed')
  expect(tokenRequests(issuer)).toBe(asked)
}

test('42 an answer without a state, with two, or with one that was never given out is 400', async () => {
  const { cookie, state } = await begin(sidecar)
  const asked = tokenRequests(issuer)
  for (const query of [
    'code=good',
    'code=good&state=',
    `code=good&state=${state}&state=${state}`,
    `code=good&state=${state}&state=other`,
    `code=good&state=${state.slice(1)}A`,
    'code=good&state=../../login',
    `code=good&state=${'a'.repeat(8000)}`,
    `code=good&STATE=${state}`,
    '',
  ]) {
    await expectNothing(await sidecar.fetch(`/sallyport/callback?${query}`, { headers: { cookie } }), asked)
  }
})

test('42 an answer in a browser that did not begin the sign-in is 400, and the one that did can still finish it', async () => {
  const victim = await begin(sidecar)
  const attacker = await begin(sidecar)
  answerTokens(issuer, attacker.nonce)
  const asked = tokenRequests(issuer)
  const name = attacker.cookie.split('=')[0]
  for (const cookie of [
    victim.cookie,
    '',
    `${name}=`,
    `${name}=short`,
    `${name}=${victim.cookie.split('=')[1]}`,
    `other=${attacker.cookie.split('=')[1]}`,
    attacker.cookie.replace(/.$/, last => (last === 'A' ? 'B' : 'A')),
  ]) {
    await expectNothing(await comeBack(sidecar, { cookie, state: attacker.state }), asked)
  }
  expect(sessionIn(await comeBack(sidecar, attacker))).toBeDefined()
})

test('42 an answer that comes a second time is 400, whether the first was good or not', async () => {
  const good = await begin(sidecar)
  answerTokens(issuer, good.nonce)
  expect(sessionIn(await comeBack(sidecar, good))).toBeDefined()
  await expectNothing(await comeBack(sidecar, good), tokenRequests(issuer))

  const bad = await begin(sidecar)
  issuer.answer('token', { status: 400, body: { error: 'invalid_grant' } })
  expect((await comeBack(sidecar, bad)).status).toBe(400)
  answerTokens(issuer, bad.nonce)
  await expectNothing(await comeBack(sidecar, bad), tokenRequests(issuer))
})

test('42 an answer that comes twice at once asks the issuer once', async () => {
  const begun = await begin(sidecar)
  answerTokens(issuer, begun.nonce)
  const asked = tokenRequests(issuer)
  const answers = await Promise.all(Array.from({ length: 5 }, () => comeBack(sidecar, begun)))
  expect(answers.map(({ status }) => status).sort((one, other) => one - other)).toEqual([302, 400, 400, 400, 400])
  expect(tokenRequests(issuer)).toBe(asked + 1)
})

test('42 an answer that comes after more than ten minutes is 400', async () => {
  const begun = await begin(sidecar)
  answerTokens(issuer, begun.nonce)
  clock.turn({ minutes: 10, seconds: 1 })
  await expectNothing(await comeBack(sidecar, begun), tokenRequests(issuer))
})
