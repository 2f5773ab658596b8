import type { Access } from '../access.ts'
import type { Content, Dashboard, DashboardFilter, Look, Tile } from '../content.ts'
import { notFound } from '../failure.ts'
import { type Call, type Operation, page, param, queryNumber, queryText } from '../operation.ts'
import { type Queries, queryDocument } from '../queries.ts'
import type { LookerUser } from '../users.ts'

const SEE_DASHBOARD = ['access_data', 'see_user_dashboards']
const SEE_LOOK = ['access_data', 'see_looks']
const FOLDER = { id: '1', name: 'Shared', parent_id: null, is_shared_root: true, can: {} }

export function contentOperations(access: Access, queries: Queries, { dashboards, looks }: Content): Operation[] {
  const seenBy = (user: LookerUser) => ({
    dashboards: [...dashboards.values()].filter(({ model }) => access.can(user, SEE_DASHBOARD, model)),
    looks: [...looks.values()].filter(({ query }) => access.can(user, SEE_LOOK, query.definition.model)),
  })
  function findLook(call: Call, user: LookerUser): Look {
    const look = seenBy(user).looks.find(({ id }) => id === param(call, 'look_id'))
    if (look === undefined) throw notFound()
    return look
  }

  return [
    {
      id: 'all_dashboards',
      method: 'GET',
      path: '/dashboards',
      access: 'member',
      answer: (_call, { user }) => seenBy(user).dashboards.map(dashboardBase),
    },
    {
      id: 'search_dashboards',
      method: 'GET',
      path: '/dashboards/search',
      access: 'member',
      answer(call, { user }) {
        const [id, title] = [queryText(call, 'id'), queryText(call, 'title')?.replaceAll('%', '').toLowerCase()]
        const found = seenBy(user).dashboards.filter(
          dashboard =>
            (id === undefined || dashboard.id === id) &&
            (title === undefined || dashboard.title.toLowerCase().includes(title)),
        )
        return page(call, found).map(dashboardDocument)
      },
    },
    {
      id: 'dashboard',
      method: 'GET',
      path: '/dashboards/:dashboard_id',
      access: 'member',
      answer(call, { user }) {
        const dashboard = seenBy(user).dashboards.find(({ id }) => id === param(call, 'dashboard_id'))
        if (dashboard === undefined) throw notFound()
        return dashboardDocument(dashboard)
      },
    },
    {
      id: 'look',
      method: 'GET',
      path: '/looks/:look_id',
      access: 'member',
      answer: (call, { user }) => lookDocument(findLook(call, user)),
    },
    {
      id: 'run_look',
      method: 'GET',
      path: '/looks/:look_id/run/:result_format',
      access: 'member',
      answer: (call, { user }) =>
        queries.run(user, findLook(call, user).query.definition, {
          permissions: SEE_LOOK,
          format: param(call, 'result_format'),
          limit: queryNumber(call, 'limit'),
        }),
    },
  ]
}

function dashboardBase(dashboard: Dashboard) {
  return {
    can: {},
    id: dashboard.id,
    title: dashboard.title,
    description: dashboard.description,
    hidden: false,
    readonly: false,
    slug: null,
    model: { id: dashboard.model, label: dashboard.model },
    folder: FOLDER,
    query_timezone: null,
    refresh_interval: null,
    refresh_interval_to_i: null,
    user_id: '1',
    preferred_viewer: 'dashboards-next',
  }
}

function dashboardDocument(dashboard: Dashboard) {
  return {
    ...dashboardBase(dashboard),
    folder_id: FOLDER.id,
    deleted: false,
    crossfilter_enabled: true,
    load_configuration: null,
    show_title: true,
    show_filters_bar: true,
    dashboard_elements: dashboard.tiles.map(tile => tileDocument(tile, dashboard)),
    dashboard_filters: dashboard.filters.map(filter => filterDocument(filter, dashboard)),
    dashboard_layouts: [],
    url: `/dashboards/${dashboard.id}`,
  }
}

function filterDocument({ name, field }: DashboardFilter, { id, model, view }: Dashboard) {
  return {
    can: {},
    id: `${id}-${name}`,
    dashboard_id: id,
    name,
    title: name,
    type: 'field_filter',
    default_value: '',
    model,
    explore: view,
    dimension: field,
    listens_to_filters: [],
    allow_multiple_values: true,
    required: false,
    ui_config: null,
  }
}

function tileDocument(tile: Tile, dashboard: Dashboard) {
  return {
    can: {},
    id: tile.id,
    dashboard_id: dashboard.id,
    title: tile.title,
    title_hidden: false,
    title_text: null,
    subtitle_text: null,
    body_text: null,
    note_text: null,
    type: 'vis',
    look_id: null,
    query_id: tile.query.id,
    query: { ...queryDocument(tile.query), vis_config: { type: tile.visualization } },
    result_maker_id: null,
    refresh_interval: null,
  }
}

function lookDocument({ id, title, query }: Look) {
  return {
    can: {},
    id,
    title,
    description: null,
    deleted: false,
    public: false,
    is_run_on_load: true,
    model: { id: query.definition.model, label: query.definition.model },
    folder: FOLDER,
    folder_id: FOLDER.id,
    user_id: '1',
    query_id: query.id,
    query: queryDocument(query),
    url: `/looks/${id}`,
  }
}
