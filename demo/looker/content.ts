import type { Queries, SavedQuery } from './queries.ts'

export interface Tile {
  readonly id: string
  readonly title: string
  readonly visualization: string
  readonly query: SavedQuery
}

export interface DashboardFilter {
  /** As it is called in the URL of the dashboard. */
  readonly name: string
  readonly field: string
}

export interface Dashboard {
  readonly id: string
  readonly title: string
  readonly description: string
  readonly model: string
  readonly view: string
  readonly filters: readonly DashboardFilter[]
  readonly tiles: readonly Tile[]
}

export interface Look {
  readonly id: string
  readonly title: string
  readonly query: SavedQuery
}

/** The dashboards and looks of a fresh instance, by id. */
export function createContent(queries: Queries) {
  let lastTileId = 0

  function query(model: string, view: string, fields: readonly string[], sorts: readonly string[] = []): SavedQuery {
    return queries.save({
      model,
      view,
      fields: fields.map(name => `${view}.${name}`),
      filters: {},
      sorts: sorts.map(sort => `${view}.${sort}`),
      limit: '500',
    })
  }
  function tile(title: string, visualization: string, query: SavedQuery): Tile {
    lastTileId += 1
    return { id: String(lastTileId), title, visualization, query }
  }

  const filter = (name: string, field: string): DashboardFilter => ({ name, field })
  const region = filter('Region', 'orders.region')
  const category = filter('Category', 'orders.category')

  const byRegion = query('thelook', 'orders', ['region', 'total_sale_price'], ['region'])
  const byAccount = query('finance', 'ledger', ['account', 'total_amount'], ['account'])
  const dashboards: Dashboard[] = [
    {
      id: '1',
      title: 'Business pulse',
      description: 'Orders and sales at a glance',
      model: 'thelook',
      view: 'orders',
      filters: [region, category],
      tiles: [
        tile('Orders', 'single_value', query('thelook', 'orders', ['count'])),
        tile('Sales by region', 'looker_column', byRegion),
        tile(
          'Sales by month',
          'looker_line',
          query('thelook', 'orders', ['created_month', 'count'], ['created_month']),
        ),
      ],
    },
    {
      id: '2',
      title: 'Brand lookup',
      description: 'What each brand sells',
      model: 'thelook',
      view: 'orders',
      filters: [region, category, filter('Status', 'orders.status')],
      tiles: [
        tile('Sales by brand', 'looker_bar', query('thelook', 'orders', ['brand', 'total_sale_price'])),
        tile('Orders by status', 'looker_pie', query('thelook', 'orders', ['status', 'count'])),
        tile(
          'Categories',
          'looker_grid',
          query('thelook', 'orders', ['category', 'count', 'average_sale_price', 'total_sale_price'], ['category']),
        ),
      ],
    },
    {
      id: '3',
      title: 'Ledger',
      description: 'Accounts by month and department',
      model: 'finance',
      view: 'ledger',
      filters: [filter('Department', 'ledger.department')],
      tiles: [
        tile('By account', 'looker_column', byAccount),
        tile('By month', 'looker_line', query('finance', 'ledger', ['period', 'total_amount'], ['period'])),
        tile('By department', 'looker_pie', query('finance', 'ledger', ['department', 'total_amount'])),
      ],
    },
    {
      id: '4',
      title: 'Campaigns',
      description: 'What is spent where; each person needs a token of their own at the database',
      model: 'marketing',
      view: 'campaigns',
      filters: [],
      tiles: [
        tile('Spend', 'single_value', query('marketing', 'campaigns', ['total_spend'])),
        tile('Spend by channel', 'looker_bar', query('marketing', 'campaigns', ['channel', 'total_spend'])),
      ],
    },
  ]
  const looks: Look[] = [
    { id: '1', title: 'Sales by region', query: byRegion },
    { id: '2', title: 'Accounts', query: byAccount },
  ]
  return {
    dashboards: new Map(dashboards.map(dashboard => [dashboard.id, dashboard])),
    looks: new Map(looks.map(look => [look.id, look])),
  }
}

export type Content = ReturnType<typeof createContent>
