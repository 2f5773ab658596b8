export interface UserAttribute {
  readonly id: string
  readonly name: string
  readonly label: string
  readonly defaultValue: string | null
  readonly isSystem: boolean
}

const attribute = (id: string, name: string, label: string, defaultValue: string | null, isSystem = false) => ({
  id,
  name,
  label,
  defaultValue,
  isSystem,
})

/** In the order of their rank. `%` is the filter that lets every value through, Looker's usual default. */
export const USER_ATTRIBUTES: readonly UserAttribute[] = [
  attribute('1', 'locale', 'Locale', 'en', true),
  attribute('2', 'number_format', 'Number format', '1,234.56', true),
  attribute('3', 'landing_page', 'Landing page', null, true),
  attribute('10', 'region', 'Region', '%'),
  attribute('11', 'brand', 'Brand', '%'),
  attribute('12', 'department', 'Department', '%'),
]
