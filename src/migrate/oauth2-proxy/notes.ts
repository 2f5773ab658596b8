/** Stands where something has to be filled in; a search for it finds all of them. */
export const FILL_IN = 'change-me'

/** What a migrated configuration cannot say itself. Values of flags never get into it: some are secrets. */
export interface Notes {
  /** Something to fill in, decide or do before it serves. */
  readonly toDo: string[]
  /** Behaviour that is lost or another one, by the flag that asked for it. */
  readonly lost: string[]
}
