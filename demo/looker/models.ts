import { campaigns, ledger, orders, type Row } from './data-set.ts'

export interface Field {
  readonly name: string
  readonly type: 'string' | 'number' | 'date' | 'count' | 'sum' | 'average'
  readonly kind: 'dimension' | 'measure'
  /** By language; `en` is the fallback. */
  readonly labels: Readonly<{ en: string; fr: string }>
  /** The dimension a sum or an average is over. */
  readonly over?: string
  readonly primaryKey?: boolean
}

interface AccessFilter {
  readonly field: string
  readonly userAttribute: string
}

export interface Explore {
  readonly name: string
  readonly labels: Readonly<{ en: string; fr: string }>
  readonly fields: readonly Field[]
  readonly accessFilters: readonly AccessFilter[]
  readonly rows: readonly Row[]
}

export interface Model {
  readonly name: string
  readonly label: string
  readonly connection: string
  readonly dialect: string
  /** Set when each person needs a token of their own at the database. */
  readonly oauthApplicationId?: string
  readonly explores: ReadonlyMap<string, Explore>
}

export const BIGQUERY_APPLICATION_ID = '1'

const dimension = (name: string, type: 'string' | 'number' | 'date', en: string, fr: string): Field => ({
  name,
  type,
  kind: 'dimension',
  labels: { en, fr },
})
const count = (view: string): Field => ({
  name: `${view}.count`,
  type: 'count',
  kind: 'measure',
  labels: { en: 'Count', fr: 'Nombre' },
})
const over = (name: string, type: 'sum' | 'average', dimension: string, en: string, fr: string): Field => ({
  name,
  type,
  kind: 'measure',
  over: dimension,
  labels: { en, fr },
})

const ordersExplore: Explore = {
  name: 'orders',
  labels: { en: 'Orders', fr: 'Commandes' },
  rows: orders,
  accessFilters: [
    { field: 'orders.region', userAttribute: 'region' },
    { field: 'orders.brand', userAttribute: 'brand' },
  ],
  fields: [
    { ...dimension('orders.id', 'number', 'ID', 'Identifiant'), primaryKey: true },
    dimension('orders.created_date', 'date', 'Created Date', 'Date de création'),
    dimension('orders.created_month', 'string', 'Created Month', 'Mois de création'),
    dimension('orders.region', 'string', 'Region', 'Région'),
    dimension('orders.status', 'string', 'Status', 'Statut'),
    dimension('orders.brand', 'string', 'Brand', 'Marque'),
    dimension('orders.category', 'string', 'Category', 'Catégorie'),
    dimension('orders.sale_price', 'number', 'Sale Price', 'Prix de vente'),
    count('orders'),
    over('orders.total_sale_price', 'sum', 'orders.sale_price', 'Total Sale Price', 'Ventes totales'),
    over('orders.average_sale_price', 'average', 'orders.sale_price', 'Average Sale Price', 'Prix moyen'),
  ],
}

const ledgerExplore: Explore = {
  name: 'ledger',
  labels: { en: 'Ledger', fr: 'Grand livre' },
  rows: ledger,
  accessFilters: [{ field: 'ledger.department', userAttribute: 'department' }],
  fields: [
    dimension('ledger.period', 'string', 'Period', 'Période'),
    dimension('ledger.account', 'string', 'Account', 'Compte'),
    dimension('ledger.department', 'string', 'Department', 'Service'),
    dimension('ledger.amount', 'number', 'Amount', 'Montant'),
    count('ledger'),
    over('ledger.total_amount', 'sum', 'ledger.amount', 'Total Amount', 'Montant total'),
  ],
}

const campaignsExplore: Explore = {
  name: 'campaigns',
  labels: { en: 'Campaigns', fr: 'Campagnes' },
  rows: campaigns,
  accessFilters: [],
  fields: [
    dimension('campaigns.name', 'string', 'Name', 'Nom'),
    dimension('campaigns.channel', 'string', 'Channel', 'Canal'),
    dimension('campaigns.spend', 'number', 'Spend', 'Dépense'),
    count('campaigns'),
    over('campaigns.total_spend', 'sum', 'campaigns.spend', 'Total Spend', 'Dépense totale'),
  ],
}

const models: readonly Model[] = [
  {
    name: 'thelook',
    label: 'The Look',
    connection: 'shop',
    dialect: 'postgres',
    explores: new Map([['orders', ordersExplore]]),
  },
  {
    name: 'finance',
    label: 'Finance',
    connection: 'books',
    dialect: 'postgres',
    explores: new Map([['ledger', ledgerExplore]]),
  },
  {
    name: 'marketing',
    label: 'Marketing',
    connection: 'ads',
    dialect: 'bigquery_standard_sql',
    oauthApplicationId: BIGQUERY_APPLICATION_ID,
    explores: new Map([['campaigns', campaignsExplore]]),
  },
]

export const MODELS: ReadonlyMap<string, Model> = new Map(models.map(model => [model.name, model]))

export function labelIn(locale: string | undefined, labels: Readonly<{ en: string; fr: string }>): string {
  return locale?.startsWith('fr') ? labels.fr : labels.en
}
