import { readFileSync } from 'node:fs'

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
}
const NAMES = ['ask.js', 'audit.js', 'desk.css', 'desk.js', 'mark.svg', 'notes.js', 'session.js', 'token.js']

export interface Asset {
  readonly type: string
  readonly body: Buffer
}

/** What the pages are made of besides their markup, by name. Read once: a name from a request never becomes a path. */
export const assets: ReadonlyMap<string, Asset> = new Map(
  NAMES.map(name => [
    name,
    {
      type: TYPES[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream',
      body: readFileSync(new URL(`assets/${name}`, import.meta.url)),
    },
  ]),
)
