import { unixSocketOf } from '../../config/values.ts'
import { FILL_IN, type Notes } from './notes.ts'
import type { Settings } from './settings.ts'

export interface App {
  /** The `app` section; undefined where there is nothing to pass requests on to. */
  readonly section: object | undefined
  /** The paths that were passed on to it; all else was not found. */
  readonly paths: readonly string[]
}

/** One upstream: where it is, and the path that was looked for. */
interface Place {
  readonly url: string
  readonly path: string
}

export function appOf(settings: Settings, notes: Notes): App {
  const written = settings.list('upstream')
  const places = written.map(placeOf)
  notes.lost.push(...written.filter((_upstream, index) => places[index] === undefined).map(elsewhere))
  const [first, ...others] = places.filter(place => place !== undefined)
  if (first === undefined) {
    if (written.length === 0)
      notes.toDo.push('app.url: no upstream was given; name the app, or leave app out for a broker or for /check')
    const asksOnly = written.some(upstream => upstream.startsWith('static://'))
    return { section: asksOnly ? undefined : { url: `http://${FILL_IN}.example.com:3000` }, paths: ['/**'] }
  }
  const away = others.filter(({ url }) => url !== first.url)
  if (away.length > 0) {
    notes.lost.push(
      `upstream ${away.map(({ url }) => url).join(', ')}: there is one app behind one Sallyport; put a router behind it, or a Sallyport before each`,
    )
  }
  const timeout = secondsOf(settings.text('upstream-timeout'))
  return {
    section: { url: first.url, ...(timeout === undefined || timeout <= 0 ? {} : { timeoutSeconds: timeout }) },
    paths: pathsOf([first, ...others].filter(({ url }) => url === first.url).map(({ path }) => path)),
  }
}

function placeOf(upstream: string): Place | undefined {
  if (unixSocketOf(upstream) !== undefined) return { url: upstream, path: '/' }
  const url = URL.parse(upstream)
  return url !== null && /^https?:$/.test(url.protocol) ? { url: url.origin, path: url.pathname } : undefined
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
