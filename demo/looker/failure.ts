const DOCUMENTATION_URL = 'https://cloud.google.com/looker/docs/'

export interface InvalidField {
  readonly field: string
  readonly code: 'missing_field' | 'invalid_value'
  readonly message: string
}

/** An answer other than success, in the shape every Looker error has. */
export class LookerFailure extends Error {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly fields: readonly InvalidField[] | undefined

  constructor(
    status: number,
    message: string,
    more: { headers?: Readonly<Record<string, string>>; fields?: readonly InvalidField[] } = {},
  ) {
    super(message)
    this.status = status
    this.headers = more.headers ?? {}
    this.fields = more.fields
  }

  document(): object {
    const document = { message: this.message, documentation_url: DOCUMENTATION_URL }
    if (this.fields === undefined) return document
    return { ...document, errors: this.fields.map(field => ({ ...field, documentation_url: DOCUMENTATION_URL })) }
  }
}

export const notFound = (): LookerFailure => new LookerFailure(404, 'Not found')

export const badRequest = (message: string): LookerFailure => new LookerFailure(400, message)

export const forbidden = (message: string): LookerFailure => new LookerFailure(403, message)

export const unauthenticated = (): LookerFailure => new LookerFailure(401, 'Requires authentication.')

export const invalid = (...fields: InvalidField[]): LookerFailure =>
  new LookerFailure(422, 'Validation Failed', { fields })

// Looker's word for a query on a connection with per-user OAuth when the person has no usable token there.
export const databaseOauthRequired = (model: string): LookerFailure =>
  new LookerFailure(403, 'Database OAuth Error', {
    fields: [{ field: 'model', code: 'invalid_value', message: `The connection of "${model}" needs an OAuth login` }],
  })
