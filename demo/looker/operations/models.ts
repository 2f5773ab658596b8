import type { Access } from '../access.ts'
import { notFound } from '../failure.ts'
import { type Explore, type Field, labelIn, type Model, MODELS } from '../models.ts'
import { type Operation, page, param } from '../operation.ts'
import type { LookerUser } from '../users.ts'

export function modelOperations(access: Access): Operation[] {
  const localeOf = (user: LookerUser) => access.attribute(user, 'locale')?.value

  return [
    {
      id: 'all_lookml_models',
      method: 'GET',
      path: '/lookml_models',
      access: 'member',
      answer(call, { user }) {
        const seen = [...MODELS.values()].filter(({ name }) => access.can(user, ['access_data'], name))
        return page(call, seen).map(model => modelDocument(model, localeOf(user)))
      },
    },
    {
      id: 'lookml_model_explore',
      method: 'GET',
      path: '/lookml_models/:lookml_model_name/explores/:explore_name',
      access: 'member',
      answer(call, { user }) {
        const model = MODELS.get(param(call, 'lookml_model_name'))
        const explore = model?.explores.get(param(call, 'explore_name'))
        // The fields are what the explore page shows, so `explore` is enough; see_lookml is for the LookML behind them.
        if (model === undefined || explore === undefined || !access.can(user, ['access_data', 'explore'], model.name)) {
          throw notFound()
        }
        return exploreDocument(model, explore, localeOf(user), access.can(user, ['see_lookml'], model.name))
      },
    },
  ]
}

function modelDocument(model: Model, locale: string | undefined) {
  return {
    can: {},
    name: model.name,
    label: model.label,
    project_name: model.name,
    has_content: true,
    unlimited_db_connections: false,
    allowed_db_connection_names: [model.connection],
    explores: [...model.explores.values()].map(({ name, labels }) => ({
      name,
      label: labelIn(locale, labels),
      description: null,
      hidden: false,
      group_label: model.label,
    })),
  }
}

function exploreDocument(model: Model, explore: Explore, locale: string | undefined, canSeeLookml: boolean) {
  const described = (kind: Field['kind']) =>
    explore.fields.filter(field => field.kind === kind).map(field => fieldDocument(field, explore, locale))
  const label = labelIn(locale, explore.labels)
  return {
    id: `${model.name}::${explore.name}`,
    name: explore.name,
    label,
    title: label,
    description: null,
    model_name: model.name,
    view_name: explore.name,
    project_name: model.name,
    connection_name: model.connection,
    dialect_name: model.dialect,
    hidden: false,
    group_label: model.label,
    scopes: [explore.name],
    can_develop: false,
    can_explain: false,
    can_pivot_in_db: false,
    can_save: false,
    can_see_lookml: canSeeLookml,
    can_subtotal: false,
    can_total: false,
    has_timezone_support: false,
    access_filter_fields: explore.accessFilters.map(({ field }) => field),
    access_filters: explore.accessFilters.map(({ field, userAttribute }) => ({ field, user_attribute: userAttribute })),
    fields: { dimensions: described('dimension'), measures: described('measure'), filters: [], parameters: [] },
  }
}

function fieldDocument(field: Field, explore: Explore, locale: string | undefined) {
  const [exploreLabel, label] = [labelIn(locale, explore.labels), labelIn(locale, field.labels)]
  const isNumeric = field.type !== 'string' && field.type !== 'date'
  return {
    name: field.name,
    type: field.type,
    category: field.kind,
    label: `${exploreLabel} ${label}`,
    label_short: label,
    description: null,
    align: isNumeric ? 'right' : 'left',
    can_filter: true,
    hidden: false,
    is_filter: false,
    is_numeric: isNumeric,
    is_timeframe: field.type === 'date',
    measure: field.kind === 'measure',
    parameter: false,
    primary_key: field.primaryKey === true,
    sortable: true,
    scope: explore.name,
    suggestable: field.type === 'string',
    view: explore.name,
    view_label: exploreLabel,
    original_view: explore.name,
    dynamic: false,
    tags: [],
  }
}
