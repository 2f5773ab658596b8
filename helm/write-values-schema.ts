/**
 * Writes helm/sallyport/values.schema.json: the chart's own levels, closed, with Sallyport's configuration schema
 * (docs/configuration.schema.json, `npm run schema`) as the property `config`.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

type Schema = Record<string, unknown>

const source = new URL('../docs/configuration.schema.json', import.meta.url)
const target = new URL('sallyport/values.schema.json', import.meta.url)

const string: Schema = { type: 'string' }
const name: Schema = { type: 'string', minLength: 1 }
const boolean: Schema = { type: 'boolean' }
const port: Schema = { type: 'integer', minimum: 1, maximum: 65_535 }
const count: Schema = { type: 'integer', minimum: 0 }
const positive: Schema = { type: 'integer', minimum: 1 }
const strings: Schema = { type: 'object', additionalProperties: string }
// Kubernetes' own objects: the API server knows their fields better than a copy here would.
const object: Schema = { type: 'object' }
const objects: Schema = { type: 'array', items: object }

function closed(properties: Record<string, Schema>, required: string[] = []): Schema {
  return { type: 'object', additionalProperties: false, properties, ...(required.length > 0 && { required }) }
}

const probe = closed({
  initialDelaySeconds: count,
  periodSeconds: positive,
  timeoutSeconds: positive,
  failureThreshold: positive,
})
const monitor = closed({
  enabled: boolean,
  labels: strings,
  interval: { type: 'string', pattern: '^[0-9]+(ms|s|m|h)$' },
})

function chartProperties(config: Schema): Record<string, Schema> {
  return {
    // Helm puts this into the values of every dependency.
    global: object,
    mode: { enum: ['gateway', 'sidecar', 'library'] },
    config,
    secrets: closed({
      existingSecret: string,
      keys: { type: 'object', propertyNames: { pattern: '^[A-Za-z0-9._-]+$' }, additionalProperties: name },
    }),
    image: closed({
      repository: name,
      tag: string,
      digest: { type: 'string', pattern: '^(sha256:[0-9a-f]{64})?$' },
      pullPolicy: { enum: ['Always', 'IfNotPresent', 'Never'] },
    }),
    imagePullSecrets: objects,
    replicaCount: count,
    nameOverride: string,
    fullnameOverride: string,
    nativeSidecar: boolean,
    app: closed({
      image: string,
      pullPolicy: { enum: ['Always', 'IfNotPresent', 'Never'] },
      port,
      shutdownSeconds: count,
      command: { type: 'array', items: string },
      args: { type: 'array', items: string },
      env: objects,
      envFrom: objects,
      livenessProbe: object,
      readinessProbe: object,
      startupProbe: object,
      resources: object,
      volumeMounts: objects,
      lifecycle: object,
      securityContext: object,
    }),
    resources: object,
    preStopSeconds: count,
    terminationGracePeriodSeconds: { type: ['integer', 'null'], minimum: 1 },
    probes: closed({ startup: probe, liveness: probe, readiness: probe }),
    service: closed({ type: { enum: ['ClusterIP', 'NodePort', 'LoadBalancer'] }, port, annotations: strings }),
    httpRoute: closed({
      enabled: boolean,
      annotations: strings,
      parentRefs: objects,
      hostnames: { type: 'array', items: name },
      timeouts: closed({ request: string, backendRequest: string }),
    }),
    ingress: closed({
      enabled: boolean,
      className: string,
      annotations: strings,
      hosts: { type: 'array', items: name },
      tls: objects,
    }),
    networkPolicy: closed({ enabled: boolean, from: objects, monitoringFrom: objects, egress: objects }),
    appNetworkPolicy: closed({ enabled: boolean, namespace: string, matchLabels: strings, port }),
    podDisruptionBudget: closed({ enabled: boolean, maxUnavailable: { type: ['integer', 'string'] } }),
    autoscaling: closed({
      enabled: boolean,
      minReplicas: positive,
      maxReplicas: positive,
      targetCPUUtilizationPercentage: positive,
    }),
    monitoring: closed({ podMonitor: monitor, serviceMonitor: monitor }),
    audit: closed({ sizeLimit: string, volume: object }),
    extraEnv: objects,
    extraEnvFrom: objects,
    extraVolumes: objects,
    extraVolumeMounts: objects,
    serviceAccountName: string,
    podAnnotations: strings,
    podLabels: strings,
    podSecurityContext: object,
    nodeSelector: strings,
    tolerations: objects,
    affinity: object,
    priorityClassName: string,
    topologySpreadConstraints: objects,
  }
}

// Helm compiles patterns with Go's RE2 and refuses the whole chart over one it does not know: look-around and back
// references. The image's own check at start keeps what is lost here.
const beyondRe2 = /\(\?<?[=!]|\\[1-9]|\\k</

/** A subschema that is moved to another place: references follow, and what only a document's root says is dropped. */
function moved(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(moved)
  return typeof node === 'object' && node !== null ? movedSchema(node) : node
}

function movedSchema(node: object): Schema {
  const kept = Object.entries(node).filter(
    ([key, value]) => key !== 'pattern' || typeof value !== 'string' || !beyondRe2.test(value),
  )
  return Object.fromEntries(
    kept.map(([key, value]) => {
      if (key !== '$ref' || typeof value !== 'string') return [key, moved(value)]
      if (!value.startsWith('#')) throw new Error(`configuration schema: ${value} is outside the document`)
      if (value === '#') return [key, '#/properties/config']
      const within = value.startsWith('#/$defs/')
        ? `#/$defs/config.${value.slice('#/$defs/'.length)}`
        : `#/properties/config${value.slice(1)}`
      return [key, within]
    }),
  )
}

/** The JSON Schema (draft 2020-12) of the chart's values, around the configuration's. */
export function valuesSchema(configuration: Schema): Schema {
  const { $schema: _dialect, $id: _id, $defs, ...config } = configuration
  const definitions = Object.entries($defs ?? {})
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Values of the chart sallyport',
    ...closed(chartProperties(movedSchema(config)), ['config']),
    ...(definitions.length > 0 && {
      $defs: Object.fromEntries(definitions.map(([key, value]) => [`config.${key}`, moved(value)])),
    }),
  }
}

/** What the file should hold now, to the byte. */
export function valuesSchemaFile(): string {
  const configuration: Schema = existsSync(source) ? JSON.parse(readFileSync(source, 'utf8')) : { type: 'object' }
  return `${JSON.stringify(valuesSchema(configuration), null, 2)}\n`
}

if (import.meta.main) writeFileSync(target, valuesSchemaFile())
