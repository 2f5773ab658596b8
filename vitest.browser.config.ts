import { defineConfig } from 'vitest/config'

/** Tests in a real browser: Chromium at `CHROMIUM`, by default /usr/bin/chromium. */
export default defineConfig({
  test: {
    include: ['test/browser/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // The page itself looks every few seconds only.
    expect: { poll: { timeout: 10_000 } },
    // A browser beside all parts of the demo is enough for two cores.
    maxWorkers: 1,
    sequence: { shuffle: true },
    reporters: ['default'],
  },
})
