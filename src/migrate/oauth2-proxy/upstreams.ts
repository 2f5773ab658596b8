import { FILL_IN, type Notes } from './notes.ts'
import type { Settings } from './settings.ts'

export interface App {
  /** The `app` section; undefined where there is nothing to pass requests on to. */
  readonly section: object | undefined
  /** The paths that were passed on to it; all else was not found. */
  readonly paths: readonly string[]
}

export function appOf(settings: Settings, notes: Notes): App {
  const written = settings.list('upstream')
  const [first, ...others] = written.filter(upstream => /^https?:\/\//i.test(upstream) && URL.canParse(upstream))
  const rest = written.filter(upstream => upstream !== first && !others.includes(upstream))
  notes.lost.push(...rest.map(elsewhere))
  if (first === undefined) {
    if (written.length === 0)
      notes.toDo.push('app.url: no upstream was given; name the app, or leave app out for a broker or for /check')
    const asksOnly = written.some(upstream => upstream.startsWith('static://'))
    return { section: asksOnly ? undefined : { url: `http://${FILL_IN}.example.com:3000` }, paths: ['/**'] }
  }
  const { origin } = new URL(first)
  const here = [first, ...others].filter(upstream => new URL(upstream).origin === origin)
  const away = others.filter(upstream => new URL(upstream).origin !== origin)
  if (away.length > 0) {
    notes.lost.push(
      `upstream ${away.map(upstream => new URL(upstream).origin).join(', ')}: there is one app behind one Sallyport; put a router behind it, or a Sallyport before each`,
    )
  }
  const timeout = secondsOf(settings.text('upstream-timeout'))
  return {
    section: { url: origin, ...(timeout === undefined || timeout <= 0 ? {} : { timeoutSeconds: timeout }) },
    paths: pathsOf(here.map(upstream => new URL(upstream).pathname)),
  }
}

/** `http://app/foo/` took all below /foo/ and `http://app/foo` that path alone; the path went on unchanged. */
function pathsOf(paths: readonly string[]): readonly string[] {
  if (paths.includes('/')) return ['/**']
  return paths.map(path => (path.endsWith('/') ? `${path}**` : path))
}

function elsewhere(upstream: string): string {
  if (upstream.startsWith('file:'))
    return 'upstream file: files are not served; let the app, or a web server behind, serve them'
  if (upstream.startsWith('static:')) return 'upstream static: leave app out, and let the ingress ask {prefix}/check'
  if (upstream.startsWith('unix:')) return 'upstream unix: name it in app as docs/configuration.md says for sockets'
  return upstream.startsWith('rewritten ')
    ? `upstream ${upstream.slice(10)}: paths are not rewritten; let the app, or a router behind, do it`
    : 'upstream: one is not a URL that can be read'
}

/** A duration as Go writes it (`1h30m`, `500ms`), in seconds. */
export function secondsOf(duration: string | undefined): number | undefined {
  if (duration === undefined) return undefined
  const units: Readonly<Record<string, number>> = { ns: 1e-9, us: 1e-6, µs: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600 }
  const parts = [...duration.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g)]
  if (parts.map(([whole]) => whole).join('') !== duration) return duration === '0' ? 0 : undefined
  return parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * (units[unit] ?? 0), 0)
}
