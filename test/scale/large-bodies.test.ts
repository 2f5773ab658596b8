import { Readable } from 'node:stream'
import { request } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type SidecarProcess, startSidecarProcess } from '../support/process.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startWorld, type World } from '../support/world.ts'

const GIBIBYTE = 2 ** 30
const CHUNK = Buffer.alloc(64 * 1024)
const GROWTH_MEBIBYTES = 50

let world: World
let upstream: Upstream
let sidecar: SidecarProcess
beforeAll(async () => {
  world = await startWorld()
  // A POST is answered with the number of bytes that came, a GET with as many as its path says.
  upstream = await startUpstream((incoming, response) => {
    if (incoming.method === 'GET') {
      Readable.from(chunksOf(Number(incoming.url?.slice(1)))).pipe(response)
      return
    }
    let size = 0
    incoming.on('data', (chunk: Buffer) => (size += chunk.length)).on('end', () => response.end(String(size)))
  })
  sidecar = await startSidecarProcess(
    world.written({
      server: { publicUrl: 'http://127.0.0.1:8080' },
      app: { url: upstream.url },
      rules: [{ paths: ['/**'], access: 'public' }],
    }),
  )
})
afterAll(async () => {
  await sidecar.stop()
  await world.close()
  await upstream.close()
})

function* chunksOf(size: number): Generator<Buffer> {
  for (let left = size; left > 0; left -= CHUNK.length) yield CHUNK
}

async function up(size: number): Promise<number> {
  const { body } = await request(sidecar.url, { method: 'POST', body: Readable.from(chunksOf(size)) })
  return Number(await body.text())
}

async function down(size: number): Promise<number> {
  const { body } = await request(`${sidecar.url}/${size}`)
  let got = 0
  for await (const chunk of body) got += (chunk as Buffer).length
  return got
}

test('a gibibyte up and a gibibyte down take no more than buffers', async () => {
  await Promise.all([up(2 ** 20), down(2 ** 20)])
  const before = sidecar.highWater()
  expect(await up(GIBIBYTE)).toBe(GIBIBYTE)
  expect(await down(GIBIBYTE)).toBe(GIBIBYTE)
  expect(sidecar.highWater() - before).toBeLessThan(GROWTH_MEBIBYTES)
}, 120_000)

test('a body that the other side is slow to take waits where it comes from', async () => {
  const before = sidecar.highWater()
  const { body } = await request(`${sidecar.url}/${GIBIBYTE}`)
  const reader = body[Symbol.asyncIterator]()
  await reader.next()
  await new Promise(resolve => setTimeout(resolve, 1000))
  body.destroy()
  expect(sidecar.highWater() - before).toBeLessThan(GROWTH_MEBIBYTES)
})
