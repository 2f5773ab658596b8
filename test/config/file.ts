import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { stringify } from 'yaml'
import { ConfigError } from '../../src/config/config-error.ts'
import { type Loaded, parseConfig } from '../../src/config/load.ts'

type Written = Record<string, unknown>
type Environment = Record<string, string>

const ENVIRONMENT: Environment = { LOOKER_SECRET: 'looker-secret' }

/** What is required and nothing else; sections given replace whole sections, and undefined leaves one out. */
export function written(sections: Written = {}): Written {
  return {
    server: { publicUrl: 'https://app.example.com' },
    issuers: [issuer()],
    looker: looker(),
    ...sections,
  }
}

export function issuer(keys: Written = {}): Written {
  return { name: 'corp', issuer: 'https://id.example.com', audiences: ['sallyport'], ...keys }
}

export function looker(keys: Written = {}): Written {
  return {
    url: 'https://company.cloud.looker.com',
    clientId: 'looker-client',
    clientSecret: { fromEnv: 'LOOKER_SECRET' },
    ...keys,
  }
}

export function load(sections: Written = {}, environment: Environment = {}): Loaded {
  return parseConfig(stringify(written(sections)), { ...ENVIRONMENT, ...environment })
}

/** Every problem that is found in one go. A configuration without any is a mistake of the test. */
export function problemsOf(sections: Written | string, environment: Environment = {}): readonly string[] {
  const text = typeof sections === 'string' ? sections : stringify(written(sections))
  try {
    parseConfig(text, { ...ENVIRONMENT, ...environment }, { file: 'sallyport.yaml' })
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  throw new Error('the configuration was accepted')
}

/** A folder that is gone when the test has ended. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Writes a file into a folder of its own and says where it is. */
export function temporaryFile(name: string, text: string): string {
  const file = join(temporaryFolder(), name)
  writeFileSync(file, text)
  return file
}
