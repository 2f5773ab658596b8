import type { Queries, SavedQuery } from './queries.ts'

export interface Tile {
  readonly id: string
  readonly title: string
  readonly visualization: string
  readonly query: SavedQuery
}

export interface Dashboard {
  readonly id: string
  readonly title: string
  readonly description: string
  readonly model: string
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

  const byRegion = query('thelook', 'orders', ['region', 'total_sale_price'], ['region'])
  const byAccount = query('finance', 'ledger', ['account', 'total_amount'], ['account'])
  const dashboards: Dashboard[] = [
    {
      id: '1',
      title: 'Business pulse',
      description: 'Orders and sales at a glance',
      model: 'thelook',
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
      tiles: [
        tile('Sales by brand', 'looker_bar', query('thelook', 'orders', ['brand', 'total_sale_price'])),
        tile('Orders by status', 'looker_pie', query('thelook', 'orders', ['status', 'count'])),
      ],
    },
    {
      id: '3',
      title: 'Ledger',
      description: 'Accounts by month and department',
      model: 'finance',
      tiles: [
        tile('By account', 'looker_column', byAccount),
        tile('By month', 'looker_line', query('finance', 'ledger', ['period', 'total_amount'], ['period'])),
        tile('By department', 'looker_pie', query('finance', 'ledger', ['department', 'total_amount'])),
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
