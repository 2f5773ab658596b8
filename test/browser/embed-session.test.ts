import { expect, test } from 'vitest'
import { documentedCode } from '../support/documented.ts'
import { ACQUIRE, embedRequestsOf, GENERATE, heardBy, load, setEmbedStage, show, titlesOf } from './embed-stage.ts'

const stage = setEmbedStage()

test('a frame connects and loads another dashboard; a second frame shares its session', async () => {
  const world = await stage.open()
  const page = await world.openPage(await world.profile('ana'))
  const requests = embedRequestsOf(page)
  await show(page, '1')
  expect(await titlesOf(page)).toEqual(['Business pulse'])
  await load(page, '1', '2')
  expect(await titlesOf(page)).toEqual(['Brand lookup'])
  await show(page, '1')
  expect(await titlesOf(page)).toEqual(['Brand lookup', 'Business pulse'])
  expect(requests).toEqual(['POST session'])
  expect([world.looker.calls.count(ACQUIRE), world.looker.sessions.count()]).toEqual([1, 1])
})

test('a session of more than three lives of its tokens goes on without a break', async () => {
  const world = await stage.open()
  const page = await world.openPage(await world.profile('ana'))
  const requests = embedRequestsOf(page)
  await show(page, '1', '2')
  for (let renewals = 1; renewals <= 5; renewals += 1) {
    await world.turn(8)
    await expect.poll(() => world.looker.calls.count(GENERATE)).toBe(renewals)
  }
  await load(page, '1', '2')
  await load(page, '2', '1')
  expect(await titlesOf(page)).toEqual(['Brand lookup', 'Business pulse'])
  expect(await heardBy(page)).toEqual([])
  // One request for both frames, every eight minutes: two before the tokens end.
  expect(requests).toEqual(['POST session', ...Array.from({ length: 5 }, () => 'PUT tokens')])
  expect([world.looker.calls.count(ACQUIRE), world.looker.sessions.count()]).toEqual([1, 1])
})

test.each([
  { kind: 'server-error', status: 500, times: 2 },
  { kind: 'reset', times: 2 },
  { kind: 'too-many-requests', retryAfterSeconds: 1, times: 2 },
] as const)('what fails twice at Looker while tokens are renewed does not show: $kind', async fault => {
  const world = await stage.open()
  const page = await world.openPage(await world.profile('ana'))
  await show(page, '1')
  world.looker.faults.inject({ ...fault, operation: GENERATE })
  await world.turn(8)
  await expect.poll(() => world.looker.calls.count(GENERATE)).toBe(3)
  await world.turn(8)
  await expect.poll(() => world.looker.calls.count(GENERATE)).toBe(4)
  await load(page, '1', '2')
  expect(await titlesOf(page)).toEqual(['Brand lookup'])
  expect(await heardBy(page)).toEqual([])
})

test('a page that cannot reach Sallyport for a while is not stuck', async () => {
  const world = await stage.open()
  const page = await world.openPage(await world.profile('ana'))
  await show(page, '1')
  let tries = 0
  await page.route('**/sallyport/looker/embed/tokens', route => (tries++ < 2 ? route.abort() : route.continue()))
  // Two minutes, one, and half of one before the tokens end.
  for (const [index, minutes] of [8, 1, 0.5].entries()) {
    await world.turn(minutes, Math.min(minutes, 4))
    await expect.poll(() => tries).toBe(index + 1)
  }
  await load(page, '1', '2')
  expect(await titlesOf(page)).toEqual(['Brand lookup'])
  expect(await heardBy(page)).toEqual([])
})

test('a dashboard can be shown after there was no frame for longer than tokens live', async () => {
  const world = await stage.open()
  const page = await world.openPage(await world.profile('ana'))
  await show(page, '1')
  await page.evaluate('embed.remove()')
  await world.turn(20)
  await show(page, '2')
  expect(await titlesOf(page)).toEqual(['Brand lookup'])
  expect(await heardBy(page)).toEqual([])
  expect([world.looker.calls.count(ACQUIRE), world.looker.sessions.count()]).toEqual([2, 1])
})

test('the Embed SDK alone needs no more than the two addresses', async () => {
  const world = await stage.open()
  const page = await world.openPage(
    await world.profile('ana'),
    `import { getEmbedSDK } from '@looker/embed-sdk'
    const sdk = getEmbedSDK()
    const at = '/sallyport/looker/embed'
    sdk.initCookieless('${world.looker.secureUrl}', at + '/session', at + '/tokens')
    const builder = sdk.createDashboardWithId('1').appendTo(document.body)
    window.connected = builder.build().connect({ waitUntilLoaded: true })`,
  )
  const requests = embedRequestsOf(page)
  await page.waitForFunction('window.connected')
  await page.evaluate('connected.then(() => {})')
  for (const renewals of [1, 2]) {
    await world.turn(8)
    await expect.poll(() => world.looker.calls.count(GENERATE)).toBe(renewals)
  }
  await page.evaluate(`connected.then(it => it.loadDashboard('2', false, { waitUntilLoaded: true })).then(() => {})`)
  expect(await titlesOf(page)).toEqual(['Brand lookup'])
  expect(requests).toEqual(['GET session', 'PUT tokens', 'PUT tokens'])
})

test('the recipe for embedding', async () => {
  const [recipe = ''] = documentedCode('frontend.md', 'js', 'Embed dashboards')
  expect(recipe.split('\n').length).toBeLessThan(25)
  const world = await stage.open({ embed: { sessionLengthSeconds: 900 } })
  const page = await world.openPage(await world.profile('ana'), recipe)
  await expect.poll(() => titlesOf(page)).toEqual(['Business pulse'])
  await page.getByRole('button', { name: 'Brands' }).click()
  await expect.poll(() => titlesOf(page)).toEqual(['Brand lookup'])
  const before = world.looker.calls.count(ACQUIRE)
  await world.turn(16)
  await expect.poll(() => world.looker.calls.count(ACQUIRE)).toBe(before + 1)
  await expect.poll(() => titlesOf(page)).toEqual(['Brand lookup'])
})
