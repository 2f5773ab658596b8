import type { Access } from '../access.ts'
import type { Content } from '../content.ts'
import { badRequest, notFound } from '../failure.ts'
import { isRecord } from '../body.ts'
import { labelIn } from '../models.ts'
import type { Queries } from '../queries.ts'
import type { QueryDefinition } from '../query-engine.ts'
import type { StreamedAnswer } from '../result-format.ts'
import type { LookerUser } from '../users.ts'

/** What a page in an iframe shows, whatever kind of content it is of. */
interface EmbedContent {
  readonly kind: 'dashboards' | 'looks' | 'explore' | 'preload'
  readonly id: string
  readonly title: string
  readonly description: string
  readonly canEdit: boolean
  readonly filters: readonly EmbedFilter[]
  readonly tiles: readonly EmbedTile[]
  /** What running a tile needs. */
  readonly permissions: readonly string[]
}

interface EmbedFilter {
  /** As it is called in messages and, for a dashboard, in the URL. */
  readonly name: string
  readonly title: string
  readonly field: string
  /** What the person may choose from. */
  readonly values: readonly string[]
}

interface EmbedTile {
  readonly id: string
  readonly title: string
  readonly visualization: string
  readonly query: QueryDefinition
}

interface EmbedContentParts {
  readonly access: Access
  readonly queries: Queries
  readonly content: Content
}

/** A page that waits to be told what to show. */
const PRELOADED: EmbedContent = {
  kind: 'preload',
  id: 'preload',
  title: '',
  description: '',
  canEdit: false,
  filters: [],
  tiles: [],
  permissions: [],
}

// More values than this are typed, not chosen.
const MOST_VALUES = 10

/** The content of embed paths, such as `dashboards/1`, as one person sees it. */
export function createEmbedContent({ access, queries, content: { dashboards, looks } }: EmbedContentParts) {
  function valuesOf(user: LookerUser, { model, view, permissions }: Place, field: string): string[] {
    const query = { model, view, fields: [field], filters: {}, sorts: [field], limit: null }
    const { result } = queries.rows(user, query, permissions)
    return result.rows.map(row => String(row[field] ?? ''))
  }
  /** Of a look or an explore: one for each field with few values, called by its field. */
  function fieldFilters(user: LookerUser, place: Place): EmbedFilter[] {
    const { explore } = queries.explore(place)
    const locale = access.attribute(user, 'locale')?.value
    return explore.fields
      .filter(({ kind, type }) => kind === 'dimension' && type === 'string')
      .map(({ name, labels }) => ({
        name,
        title: labelIn(locale, labels),
        field: name,
        values: valuesOf(user, place, name),
      }))
      .filter(({ values }) => values.length <= MOST_VALUES)
  }
  const mayEdit = (user: LookerUser, permission: string, model: string): boolean =>
    access.can(user, ['access_data', permission], model)

  function dashboard(user: LookerUser, id: string): EmbedContent {
    const found = dashboards.get(id)
    const permissions = ['access_data', 'see_user_dashboards']
    if (found === undefined || !access.can(user, permissions, found.model)) throw notFound()
    const { model, view, title, description } = found
    return {
      kind: 'dashboards',
      id,
      title,
      description,
      canEdit: mayEdit(user, 'save_dashboards', model),
      filters: found.filters.map(({ name, field }) => ({
        name,
        title: name,
        field,
        values: valuesOf(user, { model, view, permissions }, field),
      })),
      tiles: found.tiles.map(({ id, title, visualization, query }) => ({
        id,
        title,
        visualization,
        query: query.definition,
      })),
      permissions,
    }
  }
  function look(user: LookerUser, id: string): EmbedContent {
    const found = looks.get(id)
    const permissions = ['access_data', 'see_looks']
    const query = found?.query.definition
    if (found === undefined || query === undefined || !access.can(user, permissions, query.model)) throw notFound()
    return {
      kind: 'looks',
      id,
      title: found.title,
      description: '',
      canEdit: mayEdit(user, 'save_looks', query.model),
      filters: fieldFilters(user, { model: query.model, view: query.view, permissions }),
      tiles: [{ id, title: found.title, visualization: 'looker_column', query }],
      permissions,
    }
  }
  function explore(user: LookerUser, id: string, parameters: URLSearchParams): EmbedContent {
    const [model = '', view = ''] = id.split('/')
    const permissions = ['access_data', 'explore']
    const found = queries.explore({ model, view })
    if (!access.can(user, permissions, model)) throw notFound()
    const named = parameters.get('fields')?.split(',').filter(Boolean) ?? []
    const { fields } = found.explore
    const usual = [fields.find(({ type }) => type === 'string'), fields.find(({ kind }) => kind === 'measure')]
    const title = labelIn(access.attribute(user, 'locale')?.value, found.explore.labels)
    const query = {
      model,
      view,
      fields: named.length > 0 ? named : usual.flatMap(field => field?.name ?? []),
      filters: {},
      sorts: parameters.get('sorts')?.split(',').filter(Boolean) ?? [],
      limit: parameters.get('limit'),
    }
    return {
      kind: 'explore',
      id,
      title,
      description: found.model.label,
      canEdit: false,
      filters: fieldFilters(user, { model, view, permissions }),
      tiles: [{ id: '1', title, visualization: 'looker_grid', query }],
      permissions,
    }
  }

  function find(user: LookerUser, path: string, parameters: URLSearchParams): EmbedContent {
    if (path === 'preload' || path === 'preload/') return PRELOADED
    const [, kind, id = ''] = /^([^/]+)\/(.+)$/.exec(path) ?? []
    if (kind === 'dashboards') return dashboard(user, id)
    if (kind === 'looks') return look(user, id)
    if (kind === 'explore') return explore(user, id, parameters)
    throw notFound()
  }

  return {
    /** For the page. What a tile asks of the database stays here. */
    describe(user: LookerUser, path: string, parameters: URLSearchParams) {
      const { kind, id, title, description, canEdit, filters, tiles } = find(user, path, parameters)
      const listen = Object.fromEntries(filters.map(({ name, field }) => [name, field]))
      const shown = tiles.map(({ id, title, visualization }) => ({ id, title, visualization, listen }))
      return { kind, id, title, description, canEdit, filters, tiles: shown }
    },
    /** The rows of a tile, narrowed by the filters it listens to; names of no filter are passed over, as at Looker. */
    runTile(user: LookerUser, path: string, tileId: string, parameters: URLSearchParams): StreamedAnswer {
      const found = find(user, path, parameters)
      const tile = found.tiles.find(({ id }) => id === tileId)
      if (tile === undefined) throw notFound()
      const given = readFilters(parameters.get('filters'))
      const narrowed = found.filters.flatMap(({ name, field }) => {
        const expression = given[name]
        return expression === undefined || expression === '' ? [] : [[field, expression] as const]
      })
      const query = { ...tile.query, filters: { ...tile.query.filters, ...Object.fromEntries(narrowed) } }
      return queries.run(user, query, { permissions: found.permissions, format: 'json_detail', limit: undefined })
    },
  }
}

interface Place {
  readonly model: string
  readonly view: string
  readonly permissions: readonly string[]
}

function readFilters(text: string | null): Record<string, string> {
  if (text === null) return {}
  try {
    const value: unknown = JSON.parse(text)
    if (isRecord(value)) return Object.fromEntries(Object.entries(value).map(([name, given]) => [name, String(given)]))
  } catch {
    // Falls through to the same refusal.
  }
  throw badRequest('The filters are not a JSON object')
}
