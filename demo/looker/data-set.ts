export type Value = string | number | null
export type Row = Readonly<Record<string, Value>>

const ORDERS = 360
const REGIONS = ['EMEA', 'AMER', 'APAC', 'LATAM']
const STATUSES = ['complete', 'complete', 'complete', 'shipped', 'processing', 'returned', 'cancelled']
const BRANDS = ['Alder', 'Birch', 'Cedar', 'Dogwood', 'Elm']
const CATEGORIES = ['Coats', 'Shirts', 'Shoes']
const DEPARTMENTS = ['treasury', 'payroll', 'sales']
const ACCOUNTS = ['4000 Revenue', '5000 Cost of goods', '6000 Salaries', '7000 Rent']
const CHANNELS = ['search', 'display', 'video']
const DAY_MILLISECONDS = 86_400_000

/** The same rows at every start, so that a test may hold an exact total. */
function createDice(seed: number): (sides: number) => number {
  let state = seed
  return sides => {
    // Numerical Recipes' linear congruential generator: plenty for demo data.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * sides)
  }
}

function pick(dice: (sides: number) => number, values: readonly string[]): string {
  return values[dice(values.length)] ?? ''
}

const dayOf2025 = (day: number): string =>
  new Date(Date.UTC(2025, 0, 1) + day * DAY_MILLISECONDS).toISOString().slice(0, 10)

function makeOrders(): Row[] {
  const dice = createDice(20_250_101)
  return Array.from({ length: ORDERS }, (_, index) => {
    const created = dayOf2025(dice(365))
    return {
      'orders.id': index + 1,
      'orders.created_date': created,
      'orders.created_month': created.slice(0, 7),
      'orders.region': pick(dice, REGIONS),
      'orders.status': pick(dice, STATUSES),
      'orders.brand': pick(dice, BRANDS),
      'orders.category': pick(dice, CATEGORIES),
      'orders.sale_price': (1000 + dice(24_000)) / 100,
    }
  })
}

function makeLedger(): Row[] {
  const dice = createDice(4711)
  return Array.from({ length: 12 }, (_, month) =>
    ACCOUNTS.flatMap(account =>
      DEPARTMENTS.map(department => ({
        'ledger.period': dayOf2025(month * 31).slice(0, 7),
        'ledger.account': account,
        'ledger.department': department,
        'ledger.amount': 1000 + dice(90_000),
      })),
    ),
  ).flat()
}

function makeCampaigns(): Row[] {
  const dice = createDice(31_337)
  return Array.from({ length: 40 }, (_, index) => ({
    'campaigns.name': `Campaign ${index + 1}`,
    'campaigns.channel': pick(dice, CHANNELS),
    'campaigns.spend': 100 + dice(5000),
  }))
}

export const orders: readonly Row[] = makeOrders()
export const ledger: readonly Row[] = makeLedger()
export const campaigns: readonly Row[] = makeCampaigns()
