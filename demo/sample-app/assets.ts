import { readFileSync } from 'node:fs'
import { readLibraries } from './libraries.ts'

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
}
const NAMES = [
  'ask.js',
  'audit.js',
  'desk.css',
  'desk.js',
  'mark.svg',
  'notes.js',
  'portal-address.js',
  'portal-calls.js',
  'portal-frames.js',
  'portal-lives.js',
  'portal-rows.js',
  'portal.css',
  'portal.js',
  'result-table.js',
  'session.js',
  'tabs.js',
  'token.js',
  'trust.js',
  'words.js',
]

export interface Asset {
  readonly type: string
  readonly cacheControl: string
  readonly body: Buffer
}

function asset(name: string, cacheControl: string, body: Buffer): readonly [string, Asset] {
  // Modules are imported without an ending.
  const ending = /\.(\w+)$/.exec(name)?.[1] ?? 'js'
  return [name, { type: TYPES[ending] ?? 'application/octet-stream', cacheControl, body }]
}

/** What the pages are made of besides their markup, by name. Read once: a name from a request never becomes a path. */
export const assets: ReadonlyMap<string, Asset> = new Map([
  ...NAMES.map(name => asset(name, 'no-cache', readFileSync(new URL(`assets/${name}`, import.meta.url)))),
  // These change with the installation only, and are many.
  ...Array.from(readLibraries(), ([name, body]) => asset(name, 'public, max-age=3600', body)),
])
