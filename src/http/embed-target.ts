import { Refusal } from '../core/failure.ts'
import type { LookerScope } from '../core/looker-scope.ts'
import { readTarget } from './canonical-path.ts'

export interface EmbedTargetRules {
  /** The origin of the page around the iframe, unless the page names another. */
  readonly embedDomain: string
  trustsOrigin(origin: string): boolean
}

/**
 * The content that `src` names, as path and query: of Looker's embed pages, and of a model that the scope has where the
 * path tells it. What it does not tell (a dashboard by its number) Looker judges, by the models the URL is signed for.
 * @throws {Refusal} `bad-request`, `content-not-granted`.
 */
export function readEmbedTarget(query: string, scope: LookerScope, rules: EmbedTargetRules): string {
  const [src, ...more] = new URLSearchParams(query).getAll('src')
  if (src === undefined || more.length > 0) throw refuse('send src once, such as ?src=%2Fembed%2Fdashboards%2F42')
  // Looker reads the path once more, so it is held to what our own paths are: one way to read it.
  const target = readTarget(src)
  if (!/^\/embed\/[^/]/.test(target.path))
    throw refuse('src has to be the path of an embed page, such as /embed/looks/7')
  if (/\p{Cc}/u.test(target.query)) throw refuse('src has characters that have to be percent-encoded')
  const model = modelOf(target.path)
  if (model !== undefined && !covers(scope, model)) {
    throw new Refusal({ kind: 'content-not-granted', grant: scope.grant })
  }
  return target.path + withEmbedDomain(target.query, rules)
}

/** The model that the path names; undefined where it names content by an id alone. */
function modelOf(path: string): string | undefined {
  const parts = path.split('/').slice(2).map(decode)
  // The older spelling of the same pages.
  if (parts[0] === 'sso') parts.shift()
  const [type = '', content = ''] = parts
  const [model = '', ...rest] = content.split('::')
  if (/^(?:explore|query)$/i.test(type)) return model
  // A dashboard of LookML is MODEL::NAME; one of a person is a number.
  return /^dashboards/i.test(type) && rest.length > 0 ? model : undefined
}

/** A grant that names no models but groups leaves them to the groups, and nothing can be told here. */
function covers({ models, groupIds }: LookerScope, model: string): boolean {
  return models.includes(model) || (models.length === 0 && groupIds.length > 0)
}

/** Looker's page talks to the origin named here, about what it shows: it is one of ours, whatever the caller says. */
function withEmbedDomain(query: string, { embedDomain, trustsOrigin }: EmbedTargetRules): string {
  const named = new URLSearchParams(query).getAll('embed_domain')
  if (!named.every(origin => trustsOrigin(origin))) {
    throw refuse('embed_domain is not an origin of this deployment: neither server.publicUrl nor one of cors.origins')
  }
  if (named.length > 0) return query
  return `${query}${query.length > 1 ? '&' : query === '' ? '?' : ''}embed_domain=${encodeURIComponent(embedDomain)}`
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw refuse('the path of src has an escape that is not UTF-8')
  }
}

function refuse(detail: string): Refusal {
  return new Refusal({ kind: 'bad-request', detail })
}
