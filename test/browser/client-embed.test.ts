import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { setStage } from './chromium.ts'
import { inPage, profileOf, setLibrary } from './sdk-page.ts'

const stage = setStage()
const library = setLibrary()

/** As much of Looker's page as connects, and says that its session has expired when it is told to. */
const FRAME = `<!doctype html><script>
  const { port1, port2 } = new MessageChannel()
  const domain = new URLSearchParams(location.search).get('embed_domain') ?? '*'
  port1.onmessage = ({ data }) => data.action === 0 && port1.postMessage({ action: 1, data: {} })
  parent.postMessage({ action: 0 }, domain, [port2])
  addEventListener('click', () => port1.postMessage({ action: 2, data: { eventName: 'session:expired', payload: [] } }))
</script>`

async function openPortal(): Promise<{ page: Page; frames: URL[] }> {
  const context = await profileOf(stage, 'ana')
  const frames: URL[] = []
  // The SDK insists on https; this is a stand-in for the page there.
  await context.route(`${stage.demo.looker.url.replace('http:', 'https:')}/**`, route => {
    frames.push(new URL(route.request().url()))
    return route.fulfill({ contentType: 'text/html', body: FRAME })
  })
  return { page: await library.openPage(context, stage.demo.sallyportUrl), frames }
}

const CONNECT = `
  const embedSDK = looker.embed(LookerEmbedSDK.getEmbedSDK())
  const load = id => embedSDK.createDashboardWithId(id).appendTo(document.body).build().connect()
`

test('the Embed SDK begins a session with what the client gave it, and a second frame joins it', async () => {
  const { page, frames } = await openPortal()
  await inPage(page, `${CONNECT} await load('1'); await load('2'); return null`)
  const [first, second] = frames
  expect(first?.pathname).toMatch(/^\/login\/embed\/%2Fembed%2Fdashboards%2F1/)
  expect(first?.searchParams.get('embed_authentication_token')).toMatch(/\S/)
  expect(second?.pathname).toBe('/embed/dashboards/2')
  expect(second?.searchParams.get('embed_navigation_token')).toMatch(/\S/)
})

test('once a session has expired the frames can be loaded again, with a new one', async () => {
  const { page, frames } = await openPortal()
  await inPage(
    page,
    `${CONNECT}
    looker.addEventListener('embedExpired', async () => {
      for (const frame of document.querySelectorAll('iframe')) frame.remove()
      await load('3')
      document.title = 'Again'
    })
    await load('1')
    await load('2')
    return null`,
  )
  const expiring = page.frames().filter(frame => frame.url().includes('/embed/'))
  // The first that says so may well take the other off the page.
  await Promise.allSettled(expiring.map(frame => frame.evaluate('dispatchEvent(new Event("click"))')))
  await expect.poll(() => page.title()).toBe('Again')
  expect(frames.map(({ pathname }) => pathname.slice(0, 15))).toEqual([
    '/login/embed/%2',
    '/embed/dashboar',
    '/login/embed/%2',
  ])
})
