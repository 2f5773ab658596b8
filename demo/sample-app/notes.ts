import { escapeHtml } from './layout.ts'

const MAX_NOTES = 20
export const MAX_NOTE_LENGTH = 500

export interface Note {
  /** Who the headers said it was; never what somebody typed. */
  readonly who: string
  readonly text: string
}

/** Notes that people leave, the latest first; in memory. */
export interface Notes {
  readonly list: readonly Note[]
  add(note: Note): void
}

export function createNotes(): Notes {
  const list: Note[] = []
  return {
    list,
    add(note) {
      list.unshift(note)
      list.length = Math.min(list.length, MAX_NOTES)
    },
  }
}

export function renderNote({ who, text }: Note): string {
  return `<li><strong>${escapeHtml(who)}</strong> <span>${escapeHtml(text)}</span></li>`
}
