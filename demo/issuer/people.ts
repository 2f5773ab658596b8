/** Somebody who can sign in. `id` becomes the subject; `claims` are added to every token and answer as they are. */
export interface Person {
  readonly id: string
  readonly name: string
  readonly email: string
  readonly groups: readonly string[]
  readonly claims?: Readonly<Record<string, unknown>>
}

export const demoPeople: readonly Person[] = [
  {
    id: 'ana',
    name: 'Ana Alvarez',
    email: 'ana@example.com',
    groups: ['analytics'],
    claims: { region: 'EMEA', department: 'finance' },
  },
  { id: 'vic', name: 'Vic Okafor', email: 'vic@example.com', groups: ['viewers'], claims: { region: 'AMER' } },
  // Nora belongs to nothing: she signs in everywhere and is granted nothing at Looker.
  { id: 'nora', name: 'Nora Lind', email: 'nora@example.com', groups: [] },
]

/** What every token says of a person, apart from the subject. */
export function claimsOf(person: Person): Record<string, unknown> {
  return {
    email: person.email,
    email_verified: true,
    name: person.name,
    preferred_username: person.id,
    groups: [...person.groups],
    ...person.claims,
  }
}
