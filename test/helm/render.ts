import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'

const chart = new URL('../../helm/sallyport', import.meta.url).pathname
const consumer = new URL('consumer', import.meta.url).pathname

/** Where helm is: on the path, or where `go install` and `.ci/helm` put it. */
export const helm = [
  'helm',
  join(homedir(), 'go/bin/helm'),
  join(homedir(), '.cache/sallyport-ci/helm-v4.3.1/helm'),
].find(candidate => spawnSync(candidate, ['version', '--short'], { stdio: 'ignore' }).status === 0)
export const withoutHelm = helm === undefined ? 'skipped: no helm on the path (.ci/helm installs it)' : ''

export interface Container {
  name: string
  image: string
  restartPolicy?: string
  args?: string[]
  ports?: { containerPort: unknown }[]
  env?: { name: string; value?: string }[]
  startupProbe: Probe
  livenessProbe: Probe
  readinessProbe: Probe
  lifecycle?: { preStop: { sleep?: { seconds: number } } }
  securityContext: Record<string, unknown>
  volumeMounts: { name: string; mountPath: string; subPath?: string }[]
  resources: { requests: Record<string, string>; limits: Record<string, string> }
}
interface Probe {
  httpGet: { path: string; port: unknown }
}
export interface PodSpec {
  automountServiceAccountToken: boolean
  enableServiceLinks: boolean
  terminationGracePeriodSeconds: number
  securityContext: Record<string, unknown>
  initContainers?: Container[]
  containers: Container[]
  volumes: { name: string; emptyDir?: unknown; secret?: { secretName: string; items?: unknown[] } }[]
}
/** What the tests look at, of every kind that the chart renders; a kind has those of its own. */
export interface Manifest {
  kind: string
  metadata: { name: string; namespace?: string; annotations?: Record<string, string> }
  data: Record<string, string>
  spec: {
    type: string
    ports: { name: string; port: number; targetPort: unknown }[]
    template: { metadata: { annotations: Record<string, string> }; spec: PodSpec }
    containers: Container[]
    policyTypes: string[]
    podSelector: { matchLabels: Record<string, string> }
    ingress: { ports: { port: number }[]; from?: unknown[] }[]
    hostnames: string[]
    rules: { host: string }[]
  }
}

export type Values = Record<string, unknown>

/** Runs helm with values on standard input; throws with what helm said. */
function run(args: string[], values: Values): string {
  const result = spawnSync(helm ?? 'helm', [...args, '--values', '-'], {
    input: JSON.stringify(values),
    encoding: 'utf8',
  })
  if (result.status !== 0) throw new Error(result.stderr)
  return result.stdout
}

function manifests(text: string): Manifest[] {
  return parseAllDocuments(text).flatMap(document => {
    const value: Manifest | null = document.toJS()
    return value === null ? [] : [value]
  })
}

const rendered = new Map<string, Manifest[]>()

/** Once for the same values: many tests look at the same manifests. */
export function render(values: Values): Manifest[] {
  const key = JSON.stringify(values)
  const known = rendered.get(key) ?? manifests(run(['template', 'release', chart, '--namespace', 'people'], values))
  rendered.set(key, known)
  return known
}

/** What `helm install` tells people. */
export function notes(values: Values): string {
  const text = run(['install', 'release', chart, '--namespace', 'people', '--dry-run=client'], values)
  return text.slice(text.indexOf('NOTES:'))
}

/** An app's own chart that includes the named templates. */
export function renderConsumer(values: Values = {}): Manifest[] {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-consumer-'))
  try {
    cpSync(consumer, directory, { recursive: true })
    cpSync(chart, join(directory, 'charts/sallyport'), { recursive: true })
    return manifests(run(['template', 'release', directory], values))
  } finally {
    rmSync(directory, { recursive: true })
  }
}

export function find(rendered: Manifest[], kind: string, name?: string): Manifest {
  const found = rendered.find(one => one.kind === kind && (name === undefined || one.metadata.name === name))
  if (found === undefined) throw new Error(`no ${kind} ${name ?? ''} was rendered`)
  return found
}

export function podOf(rendered: Manifest[]): PodSpec {
  return find(rendered, 'Deployment').spec.template.spec
}

export function sallyportOf(pod: PodSpec): Container {
  const found = [...(pod.initContainers ?? []), ...pod.containers].find(container => container.name === 'sallyport')
  if (found === undefined) throw new Error('no container sallyport was rendered')
  return found
}

export function configOf(rendered: Manifest[]): Record<string, unknown> {
  const config: Record<string, unknown> = parse(find(rendered, 'ConfigMap').data['config.yaml'] ?? '')
  return config
}
