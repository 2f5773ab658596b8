import { hash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const { resolve } = createRequire(import.meta.url)
const folderOf = (name: string): string => dirname(resolve(`${name}/package.json`))

/** Looker's own libraries, as they were published. Not the SDK's index: it exports types, which only a bundler forgives. */
const SDK = '@looker/sdk/lib/esm/4.0/methods'
const RUNTIME = '@looker/sdk-rtl/lib/esm'
export const EMBED_SDK = '@looker/embed-sdk/dist/main'

/** Their modules by the names that they import each other under: without `.js`, which bundlers fill in. */
export function readLibraries(): Map<string, Buffer> {
  const runtime = readdirSync(join(folderOf('@looker/sdk-rtl'), 'lib/esm'))
    .filter(name => name.endsWith('.js'))
    .map(name => `${RUNTIME}/${name.slice(0, -3)}`)
  const names = [SDK, '@looker/sdk/lib/esm/constants', EMBED_SDK, ...runtime]
  return new Map(
    names.map(name => {
      const [, library = '', path = ''] = /^(@looker\/[^/]+)\/(.+)$/.exec(name) ?? []
      return [name, readFileSync(join(folderOf(library), `${path}.js`))]
    }),
  )
}

/** What a page's own modules import them by. */
export const IMPORT_MAP = JSON.stringify({
  imports: { '@looker/sdk': `/assets/${SDK}`, '@looker/sdk-rtl': `/assets/${RUNTIME}/index` },
})
/** An import map has to be in the page itself; for script-src it is this text and no other (CSP 3 §2.3.1). */
export const IMPORT_MAP_SOURCE = `'sha256-${hash('sha256', IMPORT_MAP, 'base64')}'`
