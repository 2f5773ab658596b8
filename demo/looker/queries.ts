import type { Access } from './access.ts'
import { databaseOauthRequired, notFound } from './failure.ts'
import { type Body, readBody } from './body.ts'
import { type Explore, MODELS, type Model } from './models.ts'
import type { OauthStates } from './oauth-states.ts'
import { type QueryDefinition, type QueryResult, runQuery } from './query-engine.ts'
import { assertFormat, formatResult, type StreamedAnswer } from './result-format.ts'
import { createSecretToken } from './secret-token.ts'
import type { LookerUser } from './users.ts'

export interface SavedQuery {
  readonly id: string
  readonly slug: string
  readonly definition: QueryDefinition
}

/** Reads a posted query. What the emulated Looker has no use for (time zone, visualisation) is let pass. */
export function readQuery(json: unknown): QueryDefinition {
  const body = readBody(json)
  const definition: QueryDefinition = {
    model: body.requiredText('model'),
    view: body.requiredText('view'),
    fields: body.texts('fields') ?? [],
    filters: readFilters(body),
    sorts: body.texts('sorts') ?? [],
    limit: body.text('limit') ?? null,
  }
  body.check()
  return definition
}

function readFilters(body: Body): Record<string, string> {
  const given = body.record('filters') ?? {}
  const filters: Record<string, string> = {}
  for (const [name, expression] of Object.entries(given)) {
    if (typeof expression === 'string') filters[name] = expression
    else body.refuse('filters', `The filter on ${name} must be a string`)
  }
  return filters
}

export function createQueries(access: Access, oauthStates: OauthStates) {
  const saved = new Map<string, SavedQuery>()
  const byDefinition = new Map<string, SavedQuery>()

  function explore(query: { model: string; view: string }): { model: Model; explore: Explore } {
    const model = MODELS.get(query.model)
    const explore = model?.explores.get(query.view)
    // A model that is not there and one not granted look the same: 404.
    if (model === undefined || explore === undefined) throw notFound()
    return { model, explore }
  }
  /** Runs a query as the user, under the user's access filters. `permissions` are what this way of running it needs. */
  function rows(
    user: LookerUser,
    query: QueryDefinition,
    permissions: readonly string[],
    limit?: number,
  ): { result: QueryResult; explore: Explore } {
    const found = explore(query)
    if (!access.can(user, permissions, query.model)) throw notFound()
    const { oauthApplicationId } = found.model
    if (oauthApplicationId !== undefined && !oauthStates.isUsable(user.id, oauthApplicationId)) {
      throw databaseOauthRequired(query.model)
    }
    const restrictions = found.explore.accessFilters.flatMap(({ field, userAttribute }) => {
      const value = access.attribute(user, userAttribute)?.value
      return value === undefined ? [] : [[field, value] as const]
    })
    const result = runQuery(found.explore, query, Object.fromEntries(restrictions), limit)
    return { result, explore: found.explore }
  }

  return {
    /** The same definition is the same query, as at Looker. */
    save(definition: QueryDefinition): SavedQuery {
      const key = JSON.stringify(definition)
      const known = byDefinition.get(key)
      if (known !== undefined) return known
      const query = { id: String(saved.size + 1), slug: createSecretToken().slice(0, 22), definition }
      saved.set(query.id, query)
      byDefinition.set(key, query)
      return query
    },
    find(id: string): SavedQuery {
      const query = saved.get(id)
      if (query === undefined) throw notFound()
      return query
    },
    explore,
    rows,
    /** The same, written down. */
    run(
      user: LookerUser,
      query: QueryDefinition,
      { permissions, format, limit }: { permissions: readonly string[]; format: string; limit: number | undefined },
    ): StreamedAnswer {
      const { result, explore } = rows(user, query, permissions, limit)
      assertFormat(format)
      const locale = access.attribute(user, 'locale')?.value
      return formatResult(format, result, { explore, locale })
    },
  }
}

export type Queries = ReturnType<typeof createQueries>

export function queryDocument({ id, slug, definition }: SavedQuery) {
  const url = `/explore/${definition.model}/${definition.view}?qid=${slug}`
  return {
    can: {},
    id,
    slug,
    client_id: slug,
    model: definition.model,
    view: definition.view,
    fields: definition.fields,
    filters: definition.filters,
    sorts: definition.sorts,
    limit: definition.limit,
    pivots: [],
    fill_fields: [],
    filter_expression: null,
    column_limit: null,
    total: null,
    row_total: null,
    subtotals: [],
    vis_config: null,
    filter_config: null,
    visible_ui_sections: null,
    dynamic_fields: null,
    query_timezone: null,
    has_table_calculations: false,
    share_url: url,
    expanded_share_url: url,
    url,
  }
}
