/** What the app knows of the world around it. Alone it knows nothing, and its pages leave out what they cannot show. */
export interface Surroundings {
  /** Where Sallyport's own endpoints are, on the origin that people see. */
  readonly prefix?: string
  /** Looker, as browsers reach it: the page calls it. */
  readonly lookerUrl?: string
  /** A sign-out goes there, and browsers hold a form's redirects to `form-action` too. */
  readonly issuerUrl?: string
  /** Who can sign in. */
  readonly people?: readonly Person[]
  /** What a person is granted, and why. */
  explain?(subject: string): Explanation | undefined
  /** Sallyport's audit lines, as they were written. */
  auditLines?(): readonly string[]
}

export interface Person {
  readonly id: string
  readonly name: string
  readonly groups: readonly string[]
}

export interface Explanation {
  /** The grants up to and with the one that matches, in their order; `mismatch` is undefined for that one. */
  readonly verdicts: readonly { readonly grant: string; readonly mismatch: string | undefined }[]
  /** What Looker is told; undefined where there is no grant. */
  readonly scope: Scope | undefined
}

export interface Scope {
  readonly grant: string
  readonly externalUserId: string
  readonly permissions: readonly string[]
  readonly models: readonly string[]
  readonly userAttributes: Readonly<Record<string, string>>
}

export function prefixOf({ prefix = '/sallyport' }: Surroundings): string {
  return prefix
}
