/** Exactly what one person may have in Looker: a grant with every template filled in. */
export interface LookerScope {
  readonly grant: string
  readonly externalUserId: string
  readonly permissions: readonly string[]
  readonly models: readonly string[]
  readonly groupIds: readonly string[]
  readonly userAttributes: Readonly<Record<string, string>>
  readonly firstName: string | undefined
  readonly lastName: string | undefined
  /** The same for two scopes exactly when Looker would be told the same. */
  readonly fingerprint: string
}
