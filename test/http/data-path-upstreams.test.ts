import { once } from 'node:events'
import { createServer as createPlainServer } from 'node:http'
import { createServer } from 'node:https'
import { mkdtemp, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { makeCertificate } from '../../demo/looker/certificate.ts'
import { expectProblem } from '../support/problem.ts'
import { rawRequest, sendRaw } from '../support/raw-http.ts'
import { startUpstream } from '../support/upstream.ts'
import { startWorld, type World } from '../support/world.ts'

let world: World
let folder: string
let authorization: string
beforeAll(async () => {
  world = await startWorld()
  folder = await mkdtemp(join(tmpdir(), 'sallyport-upstreams-'))
  authorization = `Bearer ${await world.issuer.sign({ sub: 'ana' })}`
})
afterAll(() => world.close())

describe('an app behind TLS', () => {
  async function startTls(host: string): Promise<{ url: string; caFile: string }> {
    const { key, cert } = await makeCertificate([host])
    const server = createServer({ key, cert }, (_request, response) => void response.end('safe'))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => {
      server.close()
      server.closeAllConnections()
    })
    const caFile = join(folder, `${host}.pem`)
    await writeFile(caFile, cert)
    return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, caFile }
  }

  test('http fact 2: is not spoken to where its certificate is nobody’s', async () => {
    const { url } = await startTls('127.0.0.1')
    const sidecar = await world.sidecar({ app: { url } })
    await expectProblem(await sidecar.fetch('/', { headers: { authorization } }), 502, 'app-unavailable')
  })

  test('http fact 2: is not spoken to where its certificate is for another host', async () => {
    const { url, caFile } = await startTls('other.example.com')
    const sidecar = await world.sidecar({ app: { url, caFile } })
    await expectProblem(await sidecar.fetch('/', { headers: { authorization } }), 502, 'app-unavailable')
  })

  test('http fact 2: is spoken to where the CA is the one that was named', async () => {
    const { url, caFile } = await startTls('127.0.0.1')
    const sidecar = await world.sidecar({ app: { url, caFile } })
    expect(await (await sidecar.fetch('/', { headers: { authorization } })).text()).toBe('safe')
  })
})

describe('an app on a unix socket', () => {
  test('gets requests as on a port: target, headers, host and body', async () => {
    const path = join(folder, 'app.sock')
    const server = createPlainServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const { method, url, headers } = request
        response.end(JSON.stringify({ method, url, headers, body: Buffer.concat(chunks).toString() }))
      })
    }).listen(path)
    await once(server, 'listening')
    onTestFinished(() => {
      server.close()
      server.closeAllConnections()
    })
    const sidecar = await world.sidecar({ app: { url: `unix://${path}` } })
    const headers = ['Host: app.example.com', `Authorization: ${authorization}`, 'Content-Length: 5']
    const { body } = await sendRaw(sidecar.url, rawRequest('POST /a/b?c=%zz&d', headers, 'hello'))
    const got = JSON.parse(body.slice(body.indexOf('{'), body.lastIndexOf('}') + 1)) as Record<string, unknown>
    expect(got).toMatchObject({
      method: 'POST',
      url: '/a/b?c=%zz&d',
      headers: { host: 'app.example.com', 'x-forwarded-user': 'ana', 'content-length': '5' },
      body: 'hello',
    })
    const { 'x-sallyport-assertion': assertion = '' } = got['headers'] as Record<string, string>
    expect(decodeJwt(assertion).aud).toBe(`unix://${path}`)
  })

  test('that is not there is 502', async () => {
    const sidecar = await world.sidecar({ app: { url: `unix://${folder}/nothing.sock` } })
    await expectProblem(await sidecar.fetch('/', { headers: { authorization } }), 502, 'app-unavailable')
  })
})

test('http fact 16: two apps with the same paths are two apps', async () => {
  const sidecars = await Promise.all(
    ['one', 'two'].map(async name => {
      const upstream = await startUpstream((_request, response) => void response.end(name))
      onTestFinished(() => upstream.close())
      return world.sidecar({ app: { url: upstream.url } })
    }),
  )
  const answers: string[] = []
  for (const sidecar of [...sidecars, ...sidecars]) {
    answers.push(await (await sidecar.fetch('/same', { headers: { authorization } })).text())
  }
  expect(answers).toEqual(['one', 'two', 'one', 'two'])
})
