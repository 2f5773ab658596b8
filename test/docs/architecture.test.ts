import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../config/file.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** What each file may import, and what not: docs/architecture.md, "Imports run one way". */
const IMPORTS: Record<string, { may: string[]; mayNot: string[] }> = {
  'src/core/a.ts': { may: ['./b.ts'], mayNot: ['../config/b.ts', '../identity/b.ts', '../app.ts'] },
  ...Object.fromEntries(
    ['identity', 'policy', 'looker', 'store', 'audit', 'telemetry', 'config'].map(room => [
      `src/${room}/a.ts`,
      { may: ['./b.ts', '../core/b.ts'], mayNot: ['../other/b.ts', '../http/b.ts', '../parts.ts', '../app.ts'] },
    ]),
  ),
  'src/http/a.ts': {
    may: ['./routes/app.ts', '../core/b.ts', '../identity/b.ts'],
    mayNot: ['../config/b.ts', '../commands/b.ts', '../parts.ts', '../app.ts', '../main.ts'],
  },
  'src/http/routes/a.ts': {
    may: ['./b.ts', '../b.ts', '../../core/b.ts'],
    mayNot: ['../../config/b.ts', '../../app.ts'],
  },
  'src/migrate/other/a.ts': {
    may: ['./b.ts', '../../config/b.ts', '../../core/b.ts'],
    mayNot: ['../../http/b.ts', '../../parts.ts'],
  },
  'src/browser/a.ts': { may: ['./b.ts'], mayNot: ['../core/b.ts'] },
  'src/parts.ts': { may: ['./config/b.ts', './store/b.ts'], mayNot: ['./http/b.ts', './app.ts', './commands/b.ts'] },
  'src/app.ts': { may: ['./parts.ts', './http/b.ts', './config/b.ts'], mayNot: ['./commands/b.ts', './main.ts'] },
  'src/commands/a.ts': { may: ['../app.ts', '../config/b.ts', '../store/b.ts'], mayNot: ['../main.ts', '../parts.ts'] },
}

test('the linter refuses imports that run the other way, and no others', () => {
  const folder = temporaryFolder()
  copyFileSync(join(ROOT, '.oxlintrc.json'), join(folder, '.oxlintrc.json'))
  for (const [file, { may, mayNot }] of Object.entries(IMPORTS)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), [...may, ...mayNot].map(path => `export * from '${path}'\n`).join(''))
  }
  const oxlint = join(ROOT, 'node_modules/.bin/oxlint')
  const { stdout } = spawnSync(oxlint, ['--format', 'json'], { cwd: folder, encoding: 'utf8' })
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: { code: string; filename: string; message: string }[] }
  const refused = diagnostics
    .filter(({ code }) => code.includes('no-restricted-imports'))
    .map(({ filename, message }) => `${filename}: ${message.split("'")[1]}`)
  const expected = Object.entries(IMPORTS).flatMap(([file, { mayNot }]) => mayNot.map(path => `${file}: ${path}`))
  expect(refused.sort()).toEqual(expected.sort())
})
