import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { parseConfig } from '../../src/config/load.ts'
import {
  configOf,
  find,
  helm,
  notes,
  podOf,
  render,
  renderConsumer,
  sallyportOf,
  type Values,
  withoutHelm,
} from './render.ts'

const looker = {
  url: 'https://company.cloud.looker.com',
  clientId: { fromFile: '/run/secrets/sallyport/looker-client-id' },
  clientSecret: { fromFile: '/run/secrets/sallyport/looker-client-secret' },
}
const config = {
  server: { publicUrl: 'https://app.example.com' },
  issuers: [{ name: 'corp', issuer: 'https://id.example.com', audiences: ['sallyport'] }],
  looker,
}
const gateway: Values = { config, secrets: { existingSecret: 'looker' } }
const sidecar: Values = {
  ...gateway,
  mode: 'sidecar',
  app: { image: 'registry.example.com/app:1', shutdownSeconds: 15 },
}
const withServer = (server: Values, more: Values = {}): Values => ({
  ...gateway,
  config: { ...config, server: { ...config.server, ...server } },
  ...more,
})

const ci = new URL('../../helm/sallyport/ci/', import.meta.url)
const ciValues = readdirSync(ci).map(file => {
  const values: Values = parse(readFileSync(new URL(file, ci), 'utf8'))
  return { file, values }
})

if (withoutHelm) process.stderr.write(`test/helm/chart.test.ts: ${withoutHelm}\n`)

describe.skipIf(helm === undefined)('the chart', () => {
  test.each(ciValues)('satisfies Pod Security "restricted" with $file', ({ values }) => {
    const pod = podOf(render(values))
    expect(pod.automountServiceAccountToken).toBe(false)
    expect(pod.enableServiceLinks).toBe(false)
    for (const container of [...(pod.initContainers ?? []), ...pod.containers]) {
      expect(container.securityContext).toMatchObject({
        runAsNonRoot: true,
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
        seccompProfile: { type: 'RuntimeDefault' },
      })
    }
    expect(sallyportOf(pod).securityContext['runAsUser']).toBe(65_532)
  })

  test.each(ciValues)('addresses every port by number with $file', ({ values }) => {
    const rendered = render(values)
    for (const service of rendered.filter(one => one.kind === 'Service')) {
      for (const port of service.spec.ports) expect(port.targetPort).toBeTypeOf('number')
    }
    const container = sallyportOf(podOf(rendered))
    for (const probe of [container.startupProbe, container.livenessProbe, container.readinessProbe]) {
      expect(probe.httpGet.port).toBe(9090)
    }
  })

  test.each(ciValues)('renders a configuration that Sallyport itself accepts with $file', ({ values }) => {
    // What is in the files and variables is the cluster's: here they are only named.
    const accepted = () => parseConfig(JSON.stringify(configOf(render(values))), {}, { uses: () => false })
    expect(accepted).not.toThrow()
  })

  test('asks the process for life and for readiness on the admin port, and never asks the app', () => {
    const container = sallyportOf(podOf(render(withServer({ admin: '0.0.0.0:9191' }))))
    expect(container.livenessProbe.httpGet).toEqual({ path: '/livez', port: 9191 })
    expect(container.startupProbe.httpGet).toEqual({ path: '/livez', port: 9191 })
    expect(container.readinessProbe.httpGet).toEqual({ path: '/readyz', port: 9191 })
  })

  test('runs beside an app as a native sidecar, which starts first and stops last', () => {
    const pod = podOf(render(sidecar))
    expect(pod.initContainers?.map(({ name, restartPolicy }) => ({ name, restartPolicy }))).toEqual([
      { name: 'sallyport', restartPolicy: 'Always' },
    ])
    expect(pod.containers.map(container => container.name)).toEqual(['app'])
  })

  test('runs as a plain container where native sidecars are switched off, and always as a gateway', () => {
    for (const values of [{ ...sidecar, nativeSidecar: false }, gateway]) {
      const pod = podOf(render(values))
      expect(pod.initContainers).toBeUndefined()
      expect(sallyportOf(pod)).not.toHaveProperty('restartPolicy')
    }
  })

  test('points the sidecar at the app on loopback unless another address is given', () => {
    expect(configOf(render(sidecar))['app']).toEqual({ url: 'http://127.0.0.1:3000' })
    const given = { ...sidecar, config: { ...config, app: { url: 'http://127.0.0.1:4000', timeoutSeconds: 90 } } }
    expect(configOf(render(given))['app']).toEqual({ url: 'http://127.0.0.1:4000', timeoutSeconds: 90 })
  })

  test('takes an app on a socket that both containers have, and no other', () => {
    const onSocket = { ...config, app: { url: 'unix:///run/app/app.sock' } }
    const mount = (mountPath: string) => ({ volumeMounts: [{ name: 'socket', mountPath }] })
    const shared: Values = {
      ...sidecar,
      config: onSocket,
      app: { image: 'registry.example.com/app:1', ...mount('/run/app') },
      extraVolumes: [{ name: 'socket', emptyDir: {} }],
      extraVolumeMounts: [{ name: 'socket', mountPath: '/run/app/' }],
    }
    const rendered = render(shared)
    expect(configOf(rendered)['app']).toEqual({ url: 'unix:///run/app/app.sock' })
    for (const container of [sallyportOf(podOf(rendered)), ...podOf(rendered).containers]) {
      expect(container.volumeMounts.map(({ name }) => name)).toContain('socket')
    }
    expect(() => render({ ...gateway, config: onSocket })).toThrow(/config\.app\.url: .* is a socket/)
    expect(() => render({ ...shared, extraVolumeMounts: [] })).toThrow(/extraVolumeMounts: .* at \/run\/app/)
    const elsewhere = { ...shared, app: { image: 'registry.example.com/app:1', ...mount('/run/ap') } }
    expect(() => render(elsewhere)).toThrow(/app\.volumeMounts: .* at \/run\/app/)
  })

  test('mounts secrets as a whole directory and renders none of them', () => {
    const keys = { 'looker-client-id': 'id', 'looker-client-secret': 'secret' }
    const rendered = render({ ...gateway, secrets: { existingSecret: 'looker', keys } })
    const pod = podOf(rendered)
    expect(rendered.map(one => one.kind)).not.toContain('Secret')
    expect(sallyportOf(pod).volumeMounts).toContainEqual({
      name: 'sallyport-secrets',
      mountPath: '/run/secrets/sallyport',
      readOnly: true,
    })
    expect(pod.volumes.find(volume => volume.name === 'sallyport-secrets')?.secret).toMatchObject({
      secretName: 'looker',
      items: [
        { key: 'id', path: 'looker-client-id' },
        { key: 'secret', path: 'looker-client-secret' },
      ],
    })
    for (const mount of sallyportOf(pod).volumeMounts) expect(mount).not.toHaveProperty('subPath')
  })

  test('refuses a secret that is written into the values', () => {
    const written = { ...gateway, config: { ...config, looker: { ...looker, clientSecret: 'hunter2' } } }
    expect(() => render(written)).toThrow(/\/config\/looker\/clientSecret/)
  })

  test('refuses a secret file that no Secret provides', () => {
    expect(() => render({ config })).toThrow(/secrets\.existingSecret: config reads .*looker-client-id/)
    const lacking = { ...gateway, secrets: { existingSecret: 'looker', keys: { 'looker-client-id': 'id' } } }
    expect(() => render(lacking)).toThrow(/secrets\.keys: .*looker-client-secret/)
  })

  test('refuses a key it does not know, its own or one of the configuration', () => {
    expect(() => render({ ...gateway, replicas: 2 })).toThrow(/additional properties 'replicas' not allowed/)
    expect(() => render({ ...gateway, image: { version: '1' } })).toThrow(/additional properties 'version' not allowed/)
    const mistyped = { ...gateway, config: { ...config, looker: { ...looker, timeout: 3 } } }
    expect(() => render(mistyped)).toThrow(/at '\/config\/looker': additional properties 'timeout' not allowed/)
  })

  test('refuses to be installed without a configuration, and names what is missing', () => {
    expect(() => render({})).toThrow(/at '\/config': missing properties 'server', 'issuers', 'looker'/)
  })

  test.each([
    { who: 'a gateway', values: withServer({ drainSeconds: 30 }), seconds: 5 + 30 + 5 },
    {
      who: 'a gateway that waits longer',
      values: withServer({ drainSeconds: 30 }, { preStopSeconds: 10 }),
      seconds: 45,
    },
    { who: 'a fraction of a second', values: withServer({ drainSeconds: 0.5 }), seconds: 5 + 1 + 5 },
    // The kubelet sends SIGTERM to a native sidecar only when the app has gone: the two times add up.
    { who: 'a native sidecar', values: sidecar, seconds: 5 + 15 + 20 + 5 },
    { who: 'a plain sidecar', values: { ...sidecar, nativeSidecar: false }, seconds: 5 + 20 + 5 },
  ])('gives $who a grace period longer than preStop and drain: $seconds s', ({ values, seconds }) => {
    expect(podOf(render(values)).terminationGracePeriodSeconds).toBe(seconds)
  })

  test('refuses a grace period that would cut requests off, and says what it needs', () => {
    const short = (terminationGracePeriodSeconds: number) => withServer({}, { terminationGracePeriodSeconds })
    expect(() => render(short(25))).toThrow(
      /25 has to be more than 25 \(preStopSeconds 5 \+ config\.server\.drainSeconds 20\)/,
    )
    expect(podOf(render(short(26))).terminationGracePeriodSeconds).toBe(26)
  })

  test('reckons with the drain that Sallyport itself uses when none is configured', () => {
    const { config: effective } = parseConfig(
      JSON.stringify({ ...config, looker: { url: looker.url, clientId: 'x', clientSecret: { fromEnv: 'S' } } }),
      { S: 's' },
    )
    expect(podOf(render(gateway)).terminationGracePeriodSeconds).toBe(5 + effective.server.drainSeconds + 5)
  })

  test('sleeps before SIGTERM, app and sidecar alike, without a shell', () => {
    const pod = podOf(render(sidecar))
    for (const container of [sallyportOf(pod), ...pod.containers]) {
      expect(container.lifecycle).toEqual({ preStop: { sleep: { seconds: 5 } } })
    }
    expect(sallyportOf(podOf(render({ ...gateway, preStopSeconds: 0 })))).not.toHaveProperty('lifecycle')
  })

  test('rolls the pods when the configuration changes and only then', () => {
    const checksum = (values: Values) =>
      find(render(values), 'Deployment').spec.template.metadata.annotations['checksum/sallyport-config']
    expect(checksum({ ...gateway, replicaCount: 3 })).toBe(checksum(gateway))
    expect(checksum(withServer({ prefix: '/auth' }))).not.toBe(checksum(gateway))
  })

  test('admits the proxy port, and the admin port to monitoring and the test pod alone', () => {
    const { spec } = find(render(gateway), 'NetworkPolicy')
    expect(spec.policyTypes).toEqual(['Ingress'])
    expect(spec.ingress.map(rule => rule.ports.map(({ port }) => port))).toEqual([[8080], [9090]])
    expect(spec.ingress[0]).not.toHaveProperty('from')
    expect(spec.ingress[1]?.from).toHaveLength(2)
  })

  test('shuts the app off from everybody but the gateway when asked to', () => {
    const values = {
      ...gateway,
      appNetworkPolicy: { enabled: true, matchLabels: { app: 'reports' }, namespace: 'apps' },
    }
    const policy = find(render(values), 'NetworkPolicy', 'release-sallyport-app')
    expect(policy.metadata).toMatchObject({ namespace: 'apps' })
    expect(policy.spec).toMatchObject({
      podSelector: { matchLabels: { app: 'reports' } },
      ingress: [
        {
          ports: [{ port: 3000 }],
          from: [
            {
              namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'people' } },
              podSelector: { matchLabels: { 'app.kubernetes.io/component': 'proxy' } },
            },
          ],
        },
      ],
    })
  })

  test('keeps the admin port out of the Service that an ingress points at', () => {
    const rendered = render(gateway)
    expect(find(rendered, 'Service', 'release-sallyport').spec.ports).toEqual([
      { name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' },
    ])
    expect(find(rendered, 'Service', 'release-sallyport-admin').spec.type).toBe('ClusterIP')
  })

  test('has a disruption budget with more than one replica, which never guards a pod that is not ready', () => {
    expect(render(gateway).map(one => one.kind)).not.toContain('PodDisruptionBudget')
    const budget = find(render({ ...gateway, replicaCount: 2 }), 'PodDisruptionBudget')
    expect(budget.spec).toMatchObject({ maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow' })
  })

  test('leaves the number of replicas to the autoscaler', () => {
    const rendered = render({ ...gateway, autoscaling: { enabled: true } })
    expect(find(rendered, 'Deployment').spec).not.toHaveProperty('replicas')
    expect(find(rendered, 'HorizontalPodAutoscaler').spec).toMatchObject({ minReplicas: 2, maxReplicas: 10 })
    expect(() => render({ ...sidecar, autoscaling: { enabled: true } })).toThrow(/mode gateway only/)
  })

  test('mounts a volume of its own for the audit file', () => {
    const audited = { ...gateway, config: { ...config, audit: { file: '/var/log/sallyport/audit.jsonl' } } }
    const pod = podOf(render(audited))
    expect(pod.volumes).toContainEqual({ name: 'sallyport-audit', emptyDir: { sizeLimit: '256Mi' } })
    expect(sallyportOf(pod).volumeMounts).toContainEqual({ name: 'sallyport-audit', mountPath: '/var/log/sallyport' })
    expect(podOf(render(gateway)).volumes.map(volume => volume.name)).not.toContain('sallyport-audit')
  })

  test('refuses listeners that neither kubelet nor Service could reach, and a loopback app in gateway mode', () => {
    expect(() => render(withServer({ admin: '127.0.0.1:9090' }))).toThrow(/config\.server\.admin: .* is loopback/)
    expect(() => render(withServer({ listen: '0.0.0.0:9090' }))).toThrow(/use the same port/)
    const loopback = { ...gateway, config: { ...config, app: { url: 'http://localhost:3000' } } }
    expect(() => render(loopback)).toThrow(/config\.app\.url: .* is loopback/)
  })

  test('routes the public host and nothing else', () => {
    const values = {
      ...gateway,
      httpRoute: { enabled: true, parentRefs: [{ name: 'public' }] },
      ingress: { enabled: true },
    }
    const rendered = render(values)
    expect(find(rendered, 'HTTPRoute').spec.hostnames).toEqual(['app.example.com'])
    expect(find(rendered, 'Ingress').spec.rules[0]?.host).toBe('app.example.com')
  })

  test('tests readiness through the admin Service with the same image', () => {
    const pod = find(render(gateway), 'Pod')
    expect(pod.metadata.annotations?.['helm.sh/hook']).toBe('test')
    expect(pod.spec.containers[0]?.image).toBe(sallyportOf(podOf(render(gateway))).image)
    expect(pod.spec.containers[0]?.args?.[0]).toContain('http://release-sallyport-admin:9090/readyz')
  })

  test('says which insecure choices were made', () => {
    const careless = {
      ...sidecar,
      config: { ...config, looker: { ...looker, url: 'http://looker.example.com', allowInsecureHttp: true } },
      networkPolicy: { enabled: false },
      ingress: { enabled: true },
    }
    const text = notes(careless)
    for (const expected of [
      /no Redis/,
      /looker: .*allowInsecureHttp/,
      /trustedProxies: empty/,
      /networkPolicy: off/,
      /grants: none/,
    ]) {
      expect(text).toMatch(expected)
    }
  })

  test('lends an app’s own chart the same container, volumes, ports and policy', () => {
    const rendered = renderConsumer()
    const pod = podOf(rendered)
    expect(pod.initContainers?.[0]).toMatchObject({
      name: 'sallyport',
      restartPolicy: 'Always',
      image: 'sallyport:0.1.0',
    })
    expect(pod.terminationGracePeriodSeconds).toBe(5 + 5 + 15 + 5)
    expect(pod.volumes.map(volume => volume.name)).toEqual(['sallyport-config', 'sallyport-secrets'])
    expect(find(rendered, 'ConfigMap').metadata.name).toBe('release-sallyport')
    expect(find(rendered, 'Service').spec.ports[0]?.targetPort).toBe(8080)
    expect(find(rendered, 'NetworkPolicy').spec.podSelector.matchLabels).toEqual({ app: 'reports' })
    expect(rendered.filter(one => one.kind === 'Deployment')).toHaveLength(1)
  })

  test('holds an app’s own chart to the schema too', () => {
    expect(() => renderConsumer({ sallyport: { config: { sever: {} } } })).toThrow(
      /additional properties 'sever' not allowed/,
    )
  })
})
